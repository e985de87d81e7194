"""What a model is shown of a function."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NotRequired, Optional, TypedDict
from uuid import UUID

import pytest
from pydantic import BaseModel, Field

from rojak.tools import function_to_json
from rojak.types.errors import ConfigurationError


def greet(name, age: int, location: str = "New York"):
    """Greets the user. Make sure to get their name and age before calling.

    Args:
       name: Name of the user.
       age: Age of the user.
       location: Best place on earth.
    """
    return f"Hello {name}, glad you are {age} in {location}!"


def test_the_documented_example_is_reproduced():
    assert function_to_json(greet) == {
        "type": "function",
        "function": {
            "name": "greet",
            "description": "Greets the user. Make sure to get their name and age before calling.\n\nArgs:\n"
            "   name: Name of the user.\n   age: Age of the user.\n   location: Best place on earth.",
            "parameters": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "age": {"type": "integer"},
                    "location": {"type": "string"},
                },
                "required": ["name", "age"],
            },
        },
    }


def test_a_function_without_docstring_and_parameters_has_an_empty_description_and_no_properties():
    def ping():
        return "pong"

    assert function_to_json(ping)["function"] == {
        "name": "ping",
        "description": "",
        "parameters": {"type": "object", "properties": {}, "required": []},
    }


def test_context_variables_are_hidden_whatever_their_annotation():
    def look(context_variables: NoSuchType, x: int = 1): ...  # noqa: F821 - never looked at

    parameters = function_to_json(look)["function"]["parameters"]
    assert parameters == {"type": "object", "properties": {"x": {"type": "integer"}}, "required": []}


class Size(Enum):
    """How large."""

    SMALL = "S"
    LARGE = "L"


@dataclass
class Point:
    x: int
    y: int = 0


class Address(TypedDict):
    street: str
    zip: NotRequired[str]


class Topping(BaseModel):
    """What goes on top."""

    title: str
    grams: float = 10


class Node(BaseModel):
    name: str
    children: list[Node] = []


POINT = {"type": "object", "properties": {"x": {"type": "integer"}, "y": {"default": 0, "type": "integer"}}}


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (str, {"type": "string"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (Any, {}),
        (list, {"type": "array", "items": {}}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (dict, {"type": "object", "additionalProperties": True}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (set[str], {"type": "array", "items": {"type": "string"}, "uniqueItems": True}),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
        (tuple[int, int], {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}),
        (
            tuple[int, str],
            {
                "type": "array",
                "prefixItems": [{"type": "integer"}, {"type": "string"}],
                "items": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
                "minItems": 2,
                "maxItems": 2,
            },
        ),
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (Optional[str], {"anyOf": [{"type": "string"}, {"type": "null"}]}),  # noqa: UP045 - users write it
        (int | str, {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal["a"], {"type": "string", "const": "a"}),
        (date, {"type": "string", "format": "date"}),
        (datetime, {"type": "string", "format": "date-time"}),
        (UUID, {"type": "string", "format": "uuid"}),
        (Decimal, {"anyOf": [{"type": "number"}, {"type": "string"}]}),
        (Annotated[str, "the city"], {"type": "string", "description": "the city"}),
        (Annotated[str, Field(description="the city")], {"type": "string", "description": "the city"}),
        (Annotated[str, "short", Field(description="long")], {"type": "string", "description": "long"}),
        (Annotated[int, Field(ge=1, le=5)], {"type": "integer", "minimum": 1, "maximum": 5}),
        (Annotated[str, Field(pattern="^a+$")], {"type": "string", "pattern": "^a+$"}),
    ],
    ids=str,
)
def test_an_annotation_becomes_the_schema_of_its_property(annotation: Any, expected: dict[str, Any]):
    def function(x): ...

    function.__annotations__["x"] = annotation
    parameters = function_to_json(function)["function"]["parameters"]
    assert parameters["properties"] == {"x": expected}
    assert "$defs" not in parameters


@pytest.mark.parametrize(
    ("annotation", "name", "definition"),
    [
        (Size, "Size", {"type": "string", "enum": ["S", "L"], "description": "How large."}),
        (Point, "Point", {**POINT, "required": ["x"]}),
        (
            Address,
            "Address",
            {
                "type": "object",
                "properties": {"street": {"type": "string"}, "zip": {"type": "string"}},
                "required": ["street"],
            },
        ),
        (
            Topping,
            "Topping",
            {
                "type": "object",
                "description": "What goes on top.",
                "properties": {"title": {"type": "string"}, "grams": {"type": "number", "default": 10}},
                "required": ["title"],
            },
        ),
        (
            Node,
            "Node",
            {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}, "default": []},
                },
                "required": ["name"],
            },
        ),
    ],
)
def test_a_class_becomes_a_definition_that_its_property_refers_to(
    annotation: Any, name: str, definition: dict[str, Any]
):
    def function(x, many): ...

    function.__annotations__.update(x=annotation, many=list[annotation])
    parameters = function_to_json(function)["function"]["parameters"]
    assert parameters["properties"] == {
        "x": {"$ref": f"#/$defs/{name}"},
        "many": {"type": "array", "items": {"$ref": f"#/$defs/{name}"}},
    }
    found = parameters["$defs"][name]
    # Whether a dataclass refuses further entries is up to pydantic's version.
    found.pop("additionalProperties", None)
    assert found == definition


def references(schema: Any) -> list[str]:
    if isinstance(schema, dict):
        own = [schema["$ref"]] if isinstance(schema.get("$ref"), str) else []
        return own + [ref for child in schema.values() for ref in references(child)]
    return [ref for child in schema for ref in references(child)] if isinstance(schema, list) else []


def test_every_reference_resolves_within_the_parameters():
    def function(a: Node, b: dict[str, Point], c: Topping | Size | None, d: tuple[Address, Point]): ...

    parameters = function_to_json(function)["function"]["parameters"]
    found = references(parameters)
    assert len(found) >= 7
    assert all(ref.removeprefix("#/$defs/") in parameters["$defs"] for ref in found)
    json.dumps(parameters)


def test_two_classes_of_one_name_get_two_definitions():
    one = type("Item", (BaseModel,), {"__annotations__": {"a": int}})
    other = type("Item", (BaseModel,), {"__annotations__": {"b": str}, "__module__": "elsewhere"})

    def function(x, y): ...

    function.__annotations__.update(x=one, y=other)
    parameters = function_to_json(function)["function"]["parameters"]
    assert len(parameters["$defs"]) == 2
    assert parameters["properties"]["x"] != parameters["properties"]["y"]


def test_names_that_mean_something_elsewhere_are_plain_names_here():
    def function(title: str, default: int, _private: str, schema: str, json: str, model_config: str, copy: int):
        """Titled."""

    properties = function_to_json(function)["function"]["parameters"]["properties"]
    assert properties == {
        "title": {"type": "string"},
        "default": {"type": "integer"},
        "_private": {"type": "string"},
        "schema": {"type": "string"},
        "json": {"type": "string"},
        "model_config": {"type": "string"},
        "copy": {"type": "integer"},
    }


def test_a_pydantic_field_as_default_is_metadata():
    def function(a: int, b: int, c): ...

    function.__defaults__ = (Field(description="needed"), Field(3, description="may be left out"), Field(...))

    parameters = function_to_json(function)["function"]["parameters"]
    assert parameters["properties"] == {
        "a": {"type": "integer", "description": "needed"},
        "b": {"type": "integer", "description": "may be left out", "default": 3},
        "c": {"type": "string"},
    }
    assert parameters["required"] == ["a", "c"]


def test_an_alias_is_the_name_that_the_model_sees():
    def function(sender: Annotated[str, Field(alias="from")]): ...

    parameters = function_to_json(function)["function"]["parameters"]
    assert parameters["properties"] == {"from": {"type": "string"}}
    assert parameters["required"] == ["from"]


def test_keyword_arguments_become_additional_properties():
    def anything(**options): ...

    def numbers(x: str, **options: int): ...

    assert function_to_json(anything)["function"]["parameters"]["additionalProperties"] is True
    parameters = function_to_json(numbers)["function"]["parameters"]
    assert parameters["additionalProperties"] == {"type": "integer"}
    assert parameters["required"] == ["x"]


def test_patterns_with_look_around_are_not_shown():
    def function(x): ...

    function.__annotations__["x"] = Annotated[str, Field(json_schema_extra={"pattern": "^(?!a)b$"})]
    assert function_to_json(function)["function"]["parameters"]["properties"] == {"x": {"type": "string"}}


def test_a_default_that_json_cannot_express_is_left_out_without_a_warning():
    class Options(BaseModel):
        marker: Any = object()

    def function(options): ...

    function.__annotations__["options"] = Options
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        definition = function_to_json(function)["function"]["parameters"]["$defs"]["Options"]
    assert "default" not in definition["properties"]["marker"]


class Connection:
    """A class that is no data."""


class Broken(BaseModel):
    other: NoSuchType  # noqa: F821 - that is the point


@pytest.mark.parametrize(
    "annotation",
    [Connection, Callable[[], int], list[Connection], Connection | None, Broken, type("X", (), {})],
    ids=str,
)
@pytest.mark.parametrize("default", [[], [None]], ids=["required", "optional"])
def test_a_parameter_without_a_schema_is_named_at_registration(annotation: Any, default: list[Any]):
    def use(query: str, connection): ...

    use.__annotations__["connection"] = annotation
    use.__defaults__ = tuple(default)
    with pytest.raises(ConfigurationError, match=r"function 'use' \(.*\): parameter 'connection' cannot be described"):
        function_to_json(use)


def test_keyword_arguments_without_a_schema_are_an_error():
    def use(**connections: Connection): ...

    with pytest.raises(ConfigurationError, match=r"function 'use' .* the type of its \*\*kwargs"):
        function_to_json(use)


def test_a_type_that_names_what_does_not_exist_says_so():
    def use(x: Broken): ...

    with pytest.raises(ConfigurationError, match="name 'NoSuchType' is not defined"):
        function_to_json(use)


class Inner(TypedDict, total=False):
    a: int
    deep: list[Address]


def test_typed_dicts_of_the_standard_library_work_inside_of_other_annotations():
    def function(
        a: list[Inner], b: dict[str, Inner] | None, c: Annotated[Inner, "the inner one"], d: Literal["x"] | Inner
    ): ...

    parameters = function_to_json(function)["function"]["parameters"]
    assert parameters["properties"]["c"] == {"$ref": "#/$defs/Inner", "description": "the inner one"}
    assert parameters["$defs"]["Inner"].get("required") is None
    assert parameters["$defs"]["Address"]["required"] == ["street"]
