"""Agents that a session knows by name: when it asks for their definitions, and which one counts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rojak.session.core import apply, decide
from rojak.session.intake import enqueue_task
from rojak.session.limits import CONTEXT_BYTES, DEFINITIONS_BYTES, size_of
from rojak.session.named import effective_settings, hand_over
from rojak.session.routes import HandOffRoute
from rojak.session.state import SessionState, Settings, Task
from rojak.session.steps import (
    CallModel,
    CallTools,
    FinishTurn,
    ModelReplied,
    ToolsAnswered,
    TurnBegun,
    TurnFailed,
    TurnFinished,
)
from rojak.types import Agent, AgentLimits, AgentRef, ConversationMessage, FunctionCall, HandOffTool, ToolCall
from rojak.types.activities import Refreshed


class NamedAgent(Agent):
    type: str = "named-test"
    model: str = "m"


def definition(name: str, revision: str = "1", **fields: Any) -> NamedAgent:
    return NamedAgent(name=name, revision=revision, task_queue=f"ns.{name}", **fields)


def to(name: str, queue: str | None = None) -> HandOffTool:
    return HandOffTool(AgentRef(name, task_queue=queue) if queue else AgentRef(name), f"Knows {name}")


def session() -> SessionState:
    return SessionState(settings=Settings())


def begin(state: SessionState, agent: Agent | None = None, **fields: Any) -> None:
    task = Task(id=f"task-{state.turns}", messages=[ConversationMessage(role="user", content="hi")], **fields)
    if agent is not None:
        task = task.model_copy(update={"agent": agent})
    enqueue_task(state, task)
    apply(state, TurnBegun(now=100.0))


def reply(state: SessionState, *tools: str, agent: Agent | None = None) -> None:
    assert isinstance(decide(state), CallModel)
    calls = [ToolCall(id=f"call-{index}", function=FunctionCall(name=name)) for index, name in enumerate(tools)]
    message = ConversationMessage(role="assistant", content=None if calls else "done", tool_calls=calls or None)
    apply(state, ModelReplied(message, now=101.0, refreshed=Refreshed(agent=agent) if agent else None))
    step = decide(state)
    while isinstance(step, CallTools):
        active = state.agent
        assert active is not None
        assert all(isinstance(pending.route, HandOffRoute) for pending in step.calls)
        outcomes = {pending.call.id: hand_over(active, pending.call.function.name) for pending in step.calls}
        apply(state, ToolsAnswered(outcomes))
        step = decide(state)
    if isinstance(step, FinishTurn):
        apply(state, TurnFinished())


def wants(state: SessionState) -> bool:
    assert state.turn is not None
    return state.turn.refresh


def round_trip(state: SessionState) -> SessionState:
    return SessionState.model_validate_json(state.model_dump_json(exclude_unset=True))


def test_a_name_becomes_its_definition_with_the_first_reply() -> None:
    state = session()
    begin(state, AgentRef("a"))
    assert wants(state)
    reply(state, agent=definition("a"))
    assert state.agent is not None
    assert (state.agent.revision, state.agent.model) == ("1", "m")


def test_a_change_comes_with_the_next_turn_and_not_within_one() -> None:
    state = session()
    begin(state, AgentRef("a"))
    reply(state, "unknown", agent=definition("a"))
    assert not wants(state)
    reply(state)
    begin(state)
    assert wants(state)
    assert state.agent == definition("a")
    reply(state, agent=definition("a", "2"))
    assert state.agent == definition("a", "2")


def test_naming_the_agent_again_does_not_lose_the_definition() -> None:
    state = session()
    begin(state, AgentRef("a"))
    reply(state, agent=definition("a"))
    for name in (AgentRef("a"), AgentRef("a", task_queue="ns.a")):
        begin(state, name)
        assert state.agent == definition("a")
        assert wants(state)
        reply(state)


def test_a_pinned_definition_is_asked_for_once_whoever_comes_in_between() -> None:
    state = session()
    a = definition("a", pinned=True, tools=[to("b", "ns.b")])
    b = definition("b", tools=[to("a", "ns.a")])
    begin(state, AgentRef("a"))
    reply(state, "transfer_to_b", agent=a)
    assert isinstance(state.agent, AgentRef)
    assert wants(state)
    reply(state, agent=b)
    state = round_trip(state)
    begin(state)
    reply(state, "transfer_to_a")
    assert state.agent == a
    assert not wants(state)
    reply(state)
    begin(state, AgentRef("a"))
    assert not wants(state)


def test_an_agent_that_comes_back_within_a_turn_is_what_it_was() -> None:
    state = session()
    a, b = definition("a", tools=[to("b", "ns.b")]), definition("b", tools=[to("a", "ns.a")])
    begin(state, AgentRef("a"))
    reply(state, "transfer_to_b", agent=a)
    reply(state, "transfer_to_a", agent=b)
    assert state.agent == a
    assert not wants(state)
    reply(state)
    begin(state, AgentRef("b", task_queue="ns.b"))
    assert isinstance(state.agent, AgentRef)
    assert wants(state)


def test_the_queue_by_which_an_agent_was_named_stays_its_queue() -> None:
    state = session()
    begin(state, definition("first", revision="", tools=[to("b", "ns.b")]))
    reply(state, "transfer_to_b")
    reply(state, agent=definition("b"))
    assert state.agent is not None
    assert state.agent.task_queue == "ns.b"


def test_of_several_hand_offs_in_one_reply_the_last_one_counts_and_all_have_results() -> None:
    state = session()
    begin(state, AgentRef("a"))
    reply(state, "transfer_to_b", "transfer_to_c", agent=definition("a", tools=[to("b"), to("c")]))
    assert state.agent is not None
    assert state.agent.name == "c"
    assert [m.content for m in state.transcript if m.role == "tool"] == ["Transferred to b.", "Transferred to c."]


def test_an_agent_that_came_by_value_is_never_asked_for() -> None:
    state = session()
    begin(state, NamedAgent(name="a"))
    assert not wants(state)


def test_a_turn_that_fails_gives_back_the_agent_of_before() -> None:
    state = session()
    begin(state, AgentRef("a"))
    reply(state, agent=definition("a"))
    begin(state)
    apply(state, TurnFailed("ProviderError", "no"))
    assert state.agent == definition("a")


def test_callers_get_agents_that_came_by_name_back_by_name() -> None:
    state = session()
    begin(state, AgentRef("a"))
    reply(state, agent=definition("a", instructions="secret sauce"))
    answered = state.mailbox["task-0"]
    assert answered.agent == AgentRef("a", task_queue="ns.a")
    assert "secret sauce" not in answered.model_dump_json()


def test_the_limits_of_the_agent_count_where_the_caller_sets_none() -> None:
    limits = AgentLimits(max_turns=7, max_tokens_total=100, run_timeout=60, history_size=3)
    state = session()
    begin(state, AgentRef("a"), settings=Settings(max_turns=5))
    reply(state, "unknown", agent=definition("a", limits=limits))
    turn = state.turn
    assert turn is not None
    assert (turn.max_turns, turn.max_tokens_total, turn.deadline) == (5, 100, 161.0)
    assert effective_settings(state.settings, state.agent).history_size == 3
    state = round_trip(state)
    begin_next = state.model_copy(deep=True)
    assert effective_settings(begin_next.settings, begin_next.agent).max_turns == 5


def test_the_agents_context_variables_are_what_a_session_begins_with() -> None:
    state = session()
    begin(state, AgentRef("a"), context_variables={"city": "Berlin"})
    reply(state, agent=definition("a", context_variables={"city": "Paris", "unit": "C"}))
    assert state.context_variables == {"city": "Berlin", "unit": "C"}


def test_context_variables_that_do_not_fit_fail_the_turn_and_say_so() -> None:
    state = session()
    begin(state, AgentRef("a"), context_variables={"large": "x" * (CONTEXT_BYTES - 50)})
    reply_with = definition("a", context_variables={"more": "y" * 100})
    apply(state, ModelReplied(ConversationMessage(role="assistant", content="x"), 101.0, Refreshed(agent=reply_with)))
    assert state.turn is None
    failed = state.mailbox["task-0"]
    assert (failed.kind, failed.error_type) == ("failed", "PayloadTooLargeError")
    assert "'a'" in (failed.reason or "")


def test_kept_definitions_have_a_bounded_share_of_the_state() -> None:
    state = session()
    names = [f"agent{index}" for index in range(8)]
    tools = [to(name) for name in names]
    for name in names:
        begin(state, AgentRef(name))
        reply(state, agent=definition(name, instructions="i" * 20_000, pinned=True, tools=tools))
    kept = sum(map(size_of, state.definitions.values()))
    assert 40_000 < kept <= DEFINITIONS_BYTES


def test_states_of_before_there_were_names_are_read() -> None:
    old = json.loads(session().model_dump_json())
    for field in ("task_queue", "definitions"):
        del old[field]
    assert SessionState.model_validate(old).definitions == {}


@pytest.mark.parametrize(
    ("name", "tool"),
    [
        ("billing", "transfer_to_billing"),
        ("Order Desk", "transfer_to_order_desk"),
        ("order-desk", "transfer_to_order-desk"),
    ],
)
def test_a_hand_off_is_a_tool_with_a_name_that_providers_take(name: str, tool: str) -> None:
    assert to(name).name == tool


def test_two_agents_with_long_names_have_tools_of_their_own() -> None:
    one, two = (to("a" * 62 + end).name for end in "xy")
    assert one != two
    assert len(one) == len(two) == 64
