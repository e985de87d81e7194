"""An agent with an output type is data: the schema travels, the type stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError, create_model
from typing_extensions import TypedDict

from rojak.agents import OpenAIAgent
from rojak.types.agent import AnyAgent
from rojak.types.outputs import known_type, schema_of


class Forecast(BaseModel):
    city: str
    celsius: float


@dataclass
class Point:
    x: int


class Named(TypedDict):
    name: str


class Node(BaseModel):
    children: list[Node] = []


ADAPTER: TypeAdapter[Any] = TypeAdapter(AnyAgent)


def stored(agent: OpenAIAgent) -> Any:
    """The agent as another process sees it."""
    return ADAPTER.validate_json(ADAPTER.dump_json(agent, exclude_unset=True))


@pytest.mark.parametrize("output_type", [Forecast, Point, Named, Node])
def test_the_schema_travels(output_type: Any) -> None:
    agent = OpenAIAgent(output_type=output_type)
    revived = stored(agent)
    assert revived.output_type is None
    assert revived.output_schema == agent.output_schema == schema_of(output_type)
    assert revived.output_schema["type"] == "object"
    assert revived == agent
    assert known_type(revived.output_schema) is output_type


def test_agents_of_another_form_are_different() -> None:
    assert OpenAIAgent(output_type=Forecast) != OpenAIAgent(output_type=Node)
    assert OpenAIAgent(output_type=Forecast) != OpenAIAgent()
    assert OpenAIAgent(name="A") == OpenAIAgent(name="A")


def test_a_copy_with_another_type_has_its_schema() -> None:
    agent = OpenAIAgent(output_type=Forecast)
    assert agent.model_copy(update={"output_type": Node}).output_schema == schema_of(Node)
    assert agent.model_copy(update={"output_type": None}).output_schema is None
    assert agent.model_copy(update={"name": "B"}).output_schema == schema_of(Forecast)


@pytest.mark.parametrize("output_type", [int, list[Forecast], Forecast | Node])
def test_what_is_no_object_is_an_error_that_says_what_to_do(output_type: Any) -> None:
    with pytest.raises(ValidationError, match="a model with one field"):
        OpenAIAgent(output_type=output_type)


def test_what_has_no_schema_is_an_error() -> None:
    with pytest.raises(ValidationError, match="has no JSON schema"):
        OpenAIAgent(output_type=object())


def test_a_schema_may_be_given_instead_of_a_type() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "title": "OnlyHere"}
    assert stored(OpenAIAgent(output_schema=schema)).output_schema == schema
    assert known_type(schema) is None
    with pytest.raises(ValidationError, match="a model with one field"):
        OpenAIAgent(output_schema={"type": "array"})


def test_two_types_of_one_schema_are_not_mistaken_for_each_other() -> None:
    one: Any = create_model("Twin", a=(int, ...), __module__="here")
    other: Any = create_model("Twin", a=(int, ...), __module__="there")
    again: Any = create_model("Twin", a=(int, ...), __module__="here")
    assert known_type(schema_of(one)) is one
    assert known_type(schema_of(again)) is again
    assert known_type(schema_of(other)) is None
    assert known_type(schema_of(one)) is None
