"""What a run returns, and what a session keeps from one run to the next."""

from __future__ import annotations

import pytest

from rojak import Rojak
from rojak.agents import OpenAIAgent
from rojak.testing import ModelServer, Reply, call
from rojak.types import OrchestratorResponse
from rojak.types.errors import ConfigurationError, SessionTypeError
from tests.integration.session.conftest import answer, roles, task
from tests.integration.session.team import agent_a, agent_b

pytestmark = pytest.mark.usefixtures("worker")


async def test_a_stateless_run_returns_what_was_passed_and_what_was_generated(rojak: Rojak, session_id: str) -> None:
    response = await rojak.run(id=session_id, task=task("say Hello"))
    assert [(m.role, m.sender, m.text) for m in response.result.messages] == [
        ("user", None, "say Hello"),
        ("assistant", "A", "Hello"),
    ]
    assert response.id == session_id
    assert (await response.workflow_handle.describe()).status.name == "COMPLETED"


async def test_a_persistent_session_goes_on_where_it_was(rojak: Rojak, session_id: str) -> None:
    for turn in range(1, 4):
        response = await rojak.run(id=session_id, type="persistent", task=task("count"))
        # The system message, and two messages for each turn before.
        assert answer(response.result) == str(1 + 2 * turn - 1)
        assert len(response.result.messages) == 2 * turn


async def test_another_client_sees_the_same_conversation(
    rojak: Rojak, temporal_client: object, session_id: str
) -> None:
    await rojak.run(id=session_id, type="persistent", task=task("say one"))
    other = Rojak(rojak.client, task_queue=rojak.task_queue)
    response = await other.run(id=session_id, type="persistent", task=task("say two"))
    assert [m.text for m in response.result.messages] == ["say one", "one", "say two", "two"]
    response = await rojak.run(id=session_id, type="persistent", task=task("say three"))
    assert len(response.result.messages) == 6


async def test_a_session_keeps_its_agent_when_a_task_names_none(rojak: Rojak, session_id: str) -> None:
    await rojak.run(id=session_id, type="persistent", task=task("call transfer_to_b"))
    response = await rojak.run(id=session_id, type="persistent", task=task("say Hi", agent=None))
    assert response.result.agent.name == "B"
    assert response.result.messages[-1].sender == "B"


async def test_the_first_task_of_a_session_needs_an_agent(rojak: Rojak, session_id: str) -> None:
    with pytest.raises(ConfigurationError, match="needs an agent"):
        await rojak.run(id=session_id, type="persistent", task=task("say Hi", agent=None))


async def test_history_size_limits_what_is_kept_between_turns(rojak: Rojak, session_id: str) -> None:
    for _ in range(4):
        response = await rojak.run(id=session_id, type="persistent", task=task("call add", "say ok"), history_size=2)
    # The last two messages of a turn would begin with a tool's result, whose call is gone: it goes too.
    assert roles(response.result) == ["a", "u", "a", "t", "a"]


async def test_max_turns_counts_what_the_model_and_the_tools_say(rojak: Rojak, session_id: str) -> None:
    script = task("call add; add", "call add", "say never")
    response = await rojak.run(id=session_id, task=script, max_turns=3)
    assert roles(response.result) == ["u", "a", "t", "t"]
    response = await rojak.run(id=f"{session_id}-2", task=script, max_turns=float("inf"))
    assert answer(response.result) == "never"


async def test_later_runs_keep_the_limits_that_a_session_has(rojak: Rojak, session_id: str) -> None:
    script = task("call add", "say end")
    response = await rojak.run(id=session_id, type="persistent", task=script, max_turns=2)
    assert roles(response.result)[-1] == "t"
    response = await rojak.run(id=session_id, type="persistent", task=script)
    assert roles(response.result)[-1] == "t"
    assert (await rojak.get_config(session_id)).max_turns == 2


async def test_context_variables_of_task_and_run_reach_tools_and_come_back(rojak: Rojak, session_id: str) -> None:
    response = await rojak.run(
        id=session_id,
        type="persistent",
        task=task('call add {"amount": 2}', "echo", context_variables={"sum": 1, "user": "Ann"}),
        context_variables={"sum": 10},
    )
    assert answer(response.result) == "sum is 12"
    assert response.result.context_variables == {"sum": 12, "user": "Ann"}
    response = await rojak.run(
        id=session_id, type="persistent", task=task("call add", "echo"), context_variables={"user": "Bob"}
    )
    assert response.result.context_variables == {"sum": 13, "user": "Bob"}


async def test_instructions_can_be_a_function_of_the_context(rojak: Rojak, session_id: str) -> None:
    agent = OpenAIAgent(instructions={"type": "function", "name": "instructions"})
    script = task("instructions", agent=agent, context_variables={"user": "Ann"})
    assert answer((await rojak.run(id=session_id, task=script)).result) == "Help Ann."


async def test_tools_run_in_parallel_and_answer_in_the_models_order(rojak: Rojak, session_id: str) -> None:
    calls = "; ".join(['slow {"seconds": 0.4}', "add", 'blocking {"seconds": 0.2}', "fail", "nowhere"])
    response = await rojak.run(id=session_id, task=task(f"call {calls}", "echo"))
    slept, added, blocked, failed, unknown = answer(response.result).split(" | ")
    assert (slept, added, blocked) == ("slept", "sum is 1", "blocked")
    assert "ValueError: no luck" in failed
    assert "no function 'nowhere'" in unknown


async def test_parallel_tools_that_touch_different_keys_all_count(rojak: Rojak, session_id: str) -> None:
    calls = "; ".join(f'note {{"key": "k{i}", "value": "v{i}"}}' for i in range(5))
    response = await rojak.run(id=session_id, task=task(f"call {calls}"))
    assert response.result.context_variables == {"notes": {f"k{i}": f"v{i}" for i in range(5)}}


async def test_without_parallel_tool_calls_each_sees_what_the_one_before_did(rojak: Rojak, session_id: str) -> None:
    agent = agent_a.model_copy(update={"parallel_tool_calls": False})
    response = await rojak.run(id=session_id, task=task("call add; add; add", "echo", agent=agent))
    assert answer(response.result) == "sum is 1 | sum is 2 | sum is 3"
    assert response.result.context_variables == {"sum": 3}


async def test_a_function_that_returns_an_agent_hands_over(rojak: Rojak, session_id: str) -> None:
    response = await rojak.run(id=session_id, task=task("call transfer_to_b", "instructions"))
    assert answer(response.result) == "You are B."
    assert response.result.agent == agent_b
    assert [m.sender for m in response.result.messages] == [None, "A", "A", "B"]


async def test_of_several_hand_offs_the_last_one_counts_and_all_context_changes_do(
    rojak: Rojak, session_id: str
) -> None:
    script = task('call promote; transfer_to_c; note {"key": "k", "value": "v"}', "instructions")
    response = await rojak.run(id=session_id, task=script)
    assert answer(response.result) == "You are C."
    assert response.result.context_variables == {"level": "b", "notes": {"k": "v"}}


async def test_usage_is_kept_per_message_per_task_and_per_session(
    rojak: Rojak, model: ModelServer, session_id: str
) -> None:
    for _ in range(2):
        response = await rojak.run(id=session_id, type="persistent", task=task("call add", "say ok"))
    result = response.result
    assert isinstance(result, OrchestratorResponse)
    generated = [m.usage for m in result.messages[-3:] if m.role == "assistant"]
    assert all(usage is not None and usage.input_tokens > 0 and usage.output_tokens > 0 for usage in generated)
    assert result.usage.input_tokens == sum(usage.input_tokens for usage in generated if usage)
    assert result.session_usage.output_tokens > result.usage.output_tokens
    assert (await rojak.get_config(session_id)).usage == result.session_usage


async def test_the_conversation_can_be_passed_into_the_next_run(rojak: Rojak, session_id: str) -> None:
    first = (await rojak.run(id=session_id, task=task("call add", "say ok"))).result
    messages = [*first.messages, {"role": "user", "content": "count"}]
    second = await rojak.run(id=f"{session_id}-2", task=task("x").model_copy(update={"messages": messages}))
    assert answer(second.result) == "6"


async def test_a_live_id_keeps_its_type(rojak: Rojak, session_id: str) -> None:
    await rojak.run(id=session_id, type="persistent", task=task("say Hi"))
    with pytest.raises(SessionTypeError, match="is live"):
        await rojak.run(id=session_id, type="stateless", task=task("say Hi"))
    stateless = f"{session_id}-stateless"
    waiting = await rojak.run(id=stateless, task=task("call pay"))
    assert not isinstance(waiting.result, OrchestratorResponse)
    with pytest.raises(SessionTypeError, match="stateless, not persistent"):
        await rojak.run(id=stateless, type="persistent", task=task("say Hi"))


async def test_an_unknown_type_is_an_error_before_anything_is_sent(rojak: Rojak, session_id: str) -> None:
    with pytest.raises(ConfigurationError, match="'persistent' or 'stateless'"):
        await rojak.run(id=session_id, type="eternal", task=task("say Hi"))  # type: ignore[arg-type]  # the point


async def test_what_a_tool_is_called_with_is_checked_first(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    script = task('call add {"amount": "many"}', "echo")
    assert "amount" in answer((await rojak.run(id=session_id, task=script)).result)


async def test_malformed_arguments_are_an_error_to_the_model(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    model.when(last_user="malformed", last_role="user").reply(Reply(tool_calls=[call("add", raw='{"amount": ')]))
    response = await rojak.run(id=session_id, task=task("malformed", "echo"))
    assert "JSON" in answer(response.result)
    assert response.result.context_variables == {}
