"""Answers of a given form, from the question to the typed object."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from pydantic import BaseModel, Field, field_validator

from rojak import Interrupt, Rojak
from rojak.agents import AnthropicAgent, OpenAIAgent
from rojak.client import Done, TextDelta
from rojak.testing import Conversation, ModelServer, Reply, call
from rojak.types import OrchestratorResponse, ResumeRequest, ResumeResponse, TaskParams
from rojak.types.errors import OutputValidationError, RunFailedError
from tests.integration.session.conftest import answer, roles

pytestmark = pytest.mark.usefixtures("worker_of_both")


class Weather(BaseModel):
    city: str
    celsius: float = Field(ge=-90)


class Verse(BaseModel):
    lines: list[str]

    @field_validator("lines")
    @classmethod
    def _are_three(cls, value: list[str]) -> list[str]:
        if len(value) != 3:
            raise ValueError("a haiku has three lines")
        return value


GOOD = Weather(city="Oslo", celsius=3.5)
FUNCTION_NAMES = ["add", "pay", "transfer_to_b"]


@pytest.fixture(params=[OpenAIAgent, AnthropicAgent], ids=["openai", "anthropic"])
def agent(request: pytest.FixtureRequest) -> Any:
    """An agent of each provider that answers with the weather."""
    return request.param(
        name="Weatherman", functions=FUNCTION_NAMES, interrupts=[Interrupt("pay")], output_type=Weather
    )


def asking(agent: Any, text: str = "weather") -> TaskParams:
    return TaskParams(agent=agent, messages=[{"role": "user", "content": text}])


def output(response: Any) -> Any:
    assert isinstance(response.result, OrchestratorResponse), response.result
    return response.result.output


async def test_the_answer_is_the_typed_object(rojak: Rojak, model: ModelServer, session_id: str, agent: Any) -> None:
    model.when(last_tool="sum is").reply(GOOD.model_dump_json())
    model.when(last_user="weather").reply(tool_calls=[call("add")])
    response = await rojak.run(id=session_id, task=asking(agent))
    assert output(response) == GOOD
    # The provider was asked to keep to the schema, in each call, and the model was not bothered with it.
    for request in model.requests:
        schema = request.conversation.output_schema
        assert schema is not None
        assert schema["properties"].keys() == {"city", "celsius"}
        assert "JSON" not in request.conversation.system


async def test_a_wrong_answer_is_told_to_the_model(
    rojak: Rojak, model: ModelServer, session_id: str, agent: Any, caplog: pytest.LogCaptureFixture
) -> None:
    model.when(last_user="celsius: 'cold' is not").reply(f"```json\n{GOOD.model_dump_json()}\n```")
    model.when(last_user="It is no JSON").reply('{"city": "Secret", "celsius": "cold"}')
    model.when(last_user="weather").reply("It is cold.")
    with caplog.at_level(logging.INFO):
        response = await rojak.run(id=session_id, type="persistent", task=asking(agent))
    assert output(response) == GOOD
    assert roles(response.result) == ["u", "a", "u", "a", "u", "a"]
    # The fence is gone: the message is the object.
    assert answer(response.result) == GOOD.model_dump_json()
    assert "does not fit its schema: celsius, rule 'type'" in caplog.text
    assert "Secret" not in caplog.text
    assert response.result.usage.total_tokens > 0


@pytest.mark.parametrize("kind", ["persistent", "stateless"])
async def test_an_answer_that_never_fits_fails_the_run_with_the_field(
    rojak: Rojak, model: ModelServer, session_id: str, agent: Any, kind: Any
) -> None:
    model.when(last_user="fine").reply(GOOD.model_dump_json())
    model.when(system="helpful").reply('{"city": "Secret", "celsius": "cold"}')
    with pytest.raises(OutputValidationError) as caught:
        await rojak.run(id=session_id, type=kind, task=asking(agent))
    assert isinstance(caught.value, RunFailedError)
    assert caught.value.error_type == "OutputValidationError"
    assert "3 answers" in str(caught.value)
    assert "field 'celsius' breaks the rule 'type'" in str(caught.value)
    assert "Secret" not in str(caught.value)
    assert "cold" not in str(caught.value)
    assert len(model.requests) == 3
    if kind == "persistent":
        # The session is as before.
        response = await rojak.run(id=session_id, type="persistent", task=asking(agent, "fine"))
        assert roles(response.result) == ["u", "a"]


async def test_no_retries_means_none(rojak: Rojak, model: ModelServer, session_id: str, agent: Any) -> None:
    model.otherwise().reply("no")
    with pytest.raises(OutputValidationError, match="gave an answer that .* the answer as a whole is no JSON"):
        await rojak.run(id=session_id, task=asking(agent.model_copy(update={"output_retries": 0})))
    assert len(model.requests) == 1


async def test_limits_hold_for_corrections_too(rojak: Rojak, model: ModelServer, session_id: str, agent: Any) -> None:
    model.otherwise().reply("no")
    response = await rojak.run(id=session_id, task=asking(agent), max_turns=2)
    assert isinstance(response.result, OrchestratorResponse)
    assert response.result.limit is not None
    assert response.result.output is None


async def test_rules_of_the_type_itself_are_told_too(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    good = Verse(lines=["a", "b", "c"])
    model.when(last_user="a haiku has three lines").reply(good.model_dump_json())
    model.otherwise().reply('{"lines": ["a"]}')
    response = await rojak.run(id=session_id, task=asking(OpenAIAgent(output_type=Verse)))
    assert output(response) == good


@pytest.mark.parametrize("mode", ["instructions", "not enforceable"])
async def test_without_help_of_the_provider_the_instructions_ask(
    rojak: Rojak, model: ModelServer, session_id: str, mode: str
) -> None:
    class Counts(BaseModel):
        counts: dict[str, int]

    fields: dict[str, Any] = {"output_mode": "instructions"} if mode == "instructions" else {}
    agent = AnthropicAgent(output_type=Counts, **fields)
    model.otherwise().reply('{"counts": {"a": 1}}')
    assert output(await rojak.run(id=session_id, task=asking(agent))) == Counts(counts={"a": 1})
    conversation = model.requests[0].conversation
    assert conversation.output_schema is None
    assert '"additionalProperties": {"type": "integer"}' in conversation.system


async def test_the_agent_that_answers_decides_the_form(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    from tests.integration.session.team import agent_b

    model.when(system="You are B.").reply("Plain words.")
    model.otherwise().reply(tool_calls=[call("transfer_to_b")])
    agent = OpenAIAgent(functions=FUNCTION_NAMES, output_type=Weather)
    response = await rojak.run(id=session_id, task=asking(agent))
    assert output(response) is None
    assert answer(response.result) == "Plain words."
    assert response.result.agent == agent_b


async def test_a_streamed_answer_is_typed(rojak: Rojak, model: ModelServer, session_id: str, agent: Any) -> None:
    model.when(last_user="It is no JSON").reply(GOOD.model_dump_json())
    model.when(last_user="weather").reply("It is cold.")
    events = [event async for event in rojak.stream(id=session_id, task=asking(agent))]
    last = events[-1]
    assert isinstance(last, Done)
    assert last.result.output == GOOD
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == f"It is cold.{GOOD.model_dump_json()}"


async def test_after_an_approval_the_answer_is_typed(
    rojak: Rojak, model: ModelServer, session_id: str, agent: Any
) -> None:
    model.when(last_tool="paid").reply(GOOD.model_dump_json())
    model.when(last_user="weather").reply(tool_calls=[call("pay")])
    waiting = await rojak.run(id=session_id, task=asking(agent))
    assert isinstance(waiting.result, ResumeRequest)
    other = Rojak(rojak.client, rojak.task_queue)
    resumed = await other.run(id=session_id, resume=ResumeResponse(action="approve", tool_id=waiting.result.tool_id))
    assert output(resumed) == GOOD


async def test_whoever_fetches_the_result_may_say_what_it_is(
    rojak: Rojak, model: ModelServer, session_id: str, agent: Any
) -> None:
    class Town(BaseModel):
        city: str

    class Wrong(BaseModel):
        celsius: int

    model.otherwise().reply(GOOD.model_dump_json())
    await rojak.run(id=session_id, type="persistent", task=asking(agent))
    for output_type, expected in [(None, GOOD), (Town, Town(city="Oslo")), (dict, GOOD.model_dump())]:
        result = await rojak.get_result(session_id, output_type=output_type)
        assert isinstance(result, OrchestratorResponse)
        assert result.output == expected
    with pytest.raises(OutputValidationError, match="celsius breaks the rule"):
        await rojak.get_result(session_id, output_type=Wrong)


async def test_a_schema_without_a_type_gives_data(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string", "minLength": 1}}, "required": ["city"]}
    model.when(last_user="should be non-empty").reply('{"city": "Oslo", "more": 1}')
    model.otherwise().reply('{"city": ""}')
    response = await rojak.run(id=session_id, task=asking(OpenAIAgent(output_schema=schema)))
    assert output(response) == {"city": "Oslo", "more": 1}


async def test_a_schema_that_is_none_fails_before_a_model_is_asked(
    rojak: Rojak, model: ModelServer, session_id: str
) -> None:
    agent = OpenAIAgent(output_schema={"type": "object", "properties": {"a": {"type": "nonsense"}}})
    with pytest.raises(RunFailedError, match="ConfigurationError: the agent's output_schema is no JSON schema"):
        await rojak.run(id=session_id, task=asking(agent))
    assert not model.requests


async def test_corrections_survive_a_roll_over(rojak: Rojak, model: ModelServer, session_id: str, agent: Any) -> None:
    def reply(conversation: Conversation) -> Reply:
        wrong = sum(message.role == "assistant" for message in conversation.messages)
        return Reply(json.dumps({"city": "x" * 1000}) if wrong < 8 else GOOD.model_dump_json())

    model.otherwise().reply(reply)
    rolling = Rojak(rojak.client, rojak.task_queue, roll_over_after_events=12)
    patient = agent.model_copy(update={"output_retries": 8})
    response = await rolling.run(id=session_id, type="persistent", task=asking(patient))
    assert output(response) == GOOD
    assert len(roles(response.result)) == 18
