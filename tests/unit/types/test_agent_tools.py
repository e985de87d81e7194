"""Tools that are no functions travel with an agent as data, and say early what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from rojak.agents import AgentTool, OpenAIAgent
from rojak.agents.toolbox import offer_tools
from rojak.tools.registry import FunctionRegistry
from rojak.types import Agent, TaskParams
from rojak.types.errors import ConfigurationError
from rojak.types.tools import ForeignTool

expert = OpenAIAgent(name="Weather expert", instructions="You know the weather.")


def test_the_name_is_made_from_the_agents_name() -> None:
    assert AgentTool(expert, "Knows the weather").name == "weather_expert"
    assert AgentTool(expert, "Knows the weather", name="weather").name == "weather"


@pytest.mark.parametrize("name", ["", "with space", "a" * 65, "dots.are.not"])
def test_a_name_that_no_provider_takes_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="is no name of a tool: give name="):
        AgentTool(expert, "Knows the weather", name=name)


def test_a_name_without_letters_has_to_be_given() -> None:
    with pytest.raises(ValidationError, match="give name="):
        AgentTool(OpenAIAgent(name="天気"), "Knows the weather")


def test_a_description_is_required() -> None:
    with pytest.raises(ValidationError, match="description"):
        AgentTool(expert)


@pytest.mark.parametrize(
    "fields",
    [
        {"functions": ["weather_expert"], "tools": [AgentTool(expert, "x")]},
        {"tools": [AgentTool(expert, "x"), AgentTool(expert, "y")]},
    ],
)
def test_two_tools_of_one_name_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"two tools named 'weather_expert'; give one of them another name"):
        OpenAIAgent(**fields)


def test_tools_travel_as_data() -> None:
    inner = OpenAIAgent(name="Inner", tools=[AgentTool(expert, "Knows the weather", share_context=True)])
    outer = OpenAIAgent(name="Outer", tools=[AgentTool(inner, "Knows things", timeout_in_seconds=5)])
    text = TaskParams(agent=outer, messages=[]).model_dump_json(exclude_unset=True)
    revived = TaskParams.model_validate_json(text)
    assert revived.agent == outer
    assert isinstance(revived.agent, OpenAIAgent)
    assert isinstance(revived.agent.tools[0], AgentTool)


def test_an_agent_without_tools_is_stored_as_before() -> None:
    assert "tools" not in expert.model_dump_json(exclude_unset=True)


def test_a_tool_of_another_version_is_kept_and_refused_where_it_is_used() -> None:
    data = {"kind": "from-the-future", "name": "oracle", "description": "Knows", "depth": 3}
    agent = Agent.model_validate({"type": "openai", "model": "m", "tools": [data]})
    assert isinstance(agent.tools[0], ForeignTool)
    assert agent.model_dump(exclude_unset=True)["tools"] == [data]
    with pytest.raises(ConfigurationError, match=r"'oracle' of the kind 'from-the-future'.*update Rojak"):
        offer_tools(agent, FunctionRegistry([]))


def test_models_are_offered_the_tool_after_the_functions() -> None:
    def look() -> str:
        """Look out of the window."""
        return "rain"

    agent = OpenAIAgent(functions=["look"], tools=[AgentTool(expert, "Knows the weather")])
    first, second = offer_tools(agent, FunctionRegistry([look]))
    assert first["function"]["name"] == "look"
    assert second["function"]["name"] == "weather_expert"
    assert second["function"]["description"] == "Knows the weather"
    assert second["function"]["parameters"]["required"] == ["message"]


@pytest.mark.parametrize("arguments", ["", "[]", "{}", '{"message": 3}', '{"message": " "}', "{"])
def test_arguments_without_a_message_are_refused(arguments: str) -> None:
    with pytest.raises(ValueError, match=r"no JSON|must be \{"):
        AgentTool(expert, "x").read_message(arguments)


def test_the_message_is_read() -> None:
    assert AgentTool(expert, "x").read_message('{"message": "Rain?", "extra": 1}') == "Rain?"
