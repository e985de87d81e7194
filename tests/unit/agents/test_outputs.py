"""What is wrong with an answer, and schemas as providers take them."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field, field_validator

from rojak.agents.anthropic_wire import enforceable
from rojak.agents.openai_wire import render_output
from rojak.agents.outputs import check_is_schema, find_problem, strip_fence
from rojak.types.errors import ConfigurationError
from rojak.types.outputs import schema_of


class Item(BaseModel):
    """A thing for sale."""

    name: str = Field(min_length=2)
    price: float = Field(ge=0, description="In euros.")
    kind: Literal["food", "drink"] = "food"


class Order(BaseModel):
    items: list[Item] = Field(min_length=1)
    note: str | None = None
    tags: dict[str, int] = {}


class Plain(BaseModel):
    items: list[Item]
    note: str | None = None


class Even(BaseModel):
    number: int

    @field_validator("number")
    @classmethod
    def _is_even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("must be even")
        return value


class Tree(BaseModel):
    name: str
    children: list[Tree] = []


GOOD = {"items": [{"name": "tea", "price": 1.5, "kind": "drink"}], "note": None, "tags": {"a": 1}}


def problem_of(value: Any, output_type: Any = Order) -> Any:
    return find_problem(value if isinstance(value, str) else json.dumps(value), schema_of(output_type))


def test_an_answer_that_fits_has_no_problem() -> None:
    assert problem_of(GOOD) is None
    assert problem_of({"items": [{"name": "tea", "price": 0}]}) is None


@pytest.mark.parametrize(
    ("value", "field", "rule"),
    [
        ("Here you are!", "", "json"),
        ('{"items": [', "", "json"),
        ([], "", "type"),
        ({}, "", "required"),
        ({"items": []}, "items", "minItems"),
        ({"items": [{"name": "tea", "price": "secret"}]}, "items[0].price", "type"),
        ({"items": [GOOD["items"][0], {"name": "tea", "price": -1}]}, "items[1].price", "minimum"),  # type: ignore[index]
        ({"items": [{"name": "tea", "price": 1, "kind": "secret"}]}, "items[0].kind", "enum"),
        ({**GOOD, "tags": {"secret": "x"}}, "tags.*", "type"),
    ],
)
def test_a_problem_names_field_and_rule_without_quoting(value: Any, field: str, rule: str) -> None:
    problem = problem_of(value)
    assert (problem.field, problem.rule) == (field, rule)
    assert "secret" not in problem.field


def test_the_model_is_told_what_it_wrote_but_not_at_length() -> None:
    problem = problem_of({"items": [{"name": "tea", "price": "cheap" * 1000} for _ in range(20)]})
    assert "items[0].price: 'cheapcheap" in problem.message
    assert problem.message.endswith("and 15 more.")
    assert len(problem.message) < 2000


def test_rules_that_a_schema_cannot_express_are_checked_where_the_type_is_known() -> None:
    problem = problem_of({"number": 3}, Even)
    assert (problem.field, problem.rule) == ("number", "value_error")
    assert "must be even" in problem.message


def test_what_is_no_schema_is_an_error_before_a_model_is_asked() -> None:
    with pytest.raises(ConfigurationError, match="no JSON schema"):
        check_is_schema({"type": "object", "properties": {"a": {"type": "nonsense"}}})


def test_a_schema_fetches_nothing() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:9/x.json"}}}
    with pytest.raises(ConfigurationError, match="which is not in it"):
        check_is_schema(schema)


@pytest.mark.parametrize("text", ['{"a": 1}', '```json\n{"a": 1}\n```', ' ```\n{"a": 1}\n```\n'])
def test_a_fence_around_json_is_taken_off(text: str) -> None:
    assert json.loads(strip_fence(text)) == {"a": 1}


def test_openai_gets_a_strict_schema_where_it_can_be() -> None:
    described = render_output(schema_of(Plain))["json_schema"]
    assert described["name"] == "Plain"
    assert described["strict"] is True
    schema = described["schema"]
    Draft202012Validator.check_schema(schema)
    assert schema["required"] == ["items", "note"]
    assert schema["additionalProperties"] is False
    item = schema["$defs"]["Item"]
    assert item["required"] == ["name", "price", "kind"]
    assert item["description"] == "A thing for sale."
    assert item["properties"]["price"] == {
        "type": "number",
        "minimum": 0,
        "title": "Price",
        "description": "In euros.",
    }
    assert item["properties"]["name"]["description"] == "minLength: 2"
    assert item["properties"]["kind"]["description"] == "default: food"


def test_openai_gets_the_schema_as_it_is_where_it_cannot_be_strict() -> None:
    described = render_output(schema_of(Order))["json_schema"]
    assert described["strict"] is False
    assert described["schema"] == schema_of(Order)
    assert render_output({"type": "object", "title": "A name! Much too " + "long" * 20})["json_schema"]["name"] == (
        "A_name__Much_too_" + "long" * 11 + "lon"
    )


def test_anthropic_gets_what_it_can_enforce() -> None:
    schema = enforceable(schema_of(Plain))
    assert schema is not None
    assert schema["required"] == ["items"]
    assert schema["$defs"]["Item"]["properties"]["price"]["description"] == "In euros.\n\nminimum: 0"
    assert enforceable(schema_of(Order)) is None
    assert enforceable(schema_of(Tree)) is None


def test_openai_takes_schemas_that_contain_themselves() -> None:
    described = render_output(schema_of(Tree))["json_schema"]
    assert described["strict"] is True
    assert described["schema"]["type"] == "object"


@pytest.mark.parametrize(
    "part",
    [
        {"allOf": [{"type": "string"}]},
        {"type": "array"},
        {"type": "object", "additionalProperties": {"type": "string"}},
        {},
        {"patternProperties": {"x": {}}},
        True,
    ],
)
def test_what_no_provider_enforces_makes_a_schema_that_is_not_strict(part: Any) -> None:
    schema = {"type": "object", "properties": {"part": part}}
    assert render_output(schema)["json_schema"]["strict"] is False
    assert enforceable(schema) is None
