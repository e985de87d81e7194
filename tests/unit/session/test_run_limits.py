"""Limits of a run: what still happens, what the model is told, what the caller is told."""

from __future__ import annotations

from typing import Any

from rojak.session.approvals import list_approvals
from rojak.session.core import apply, decide
from rojak.session.intake import enqueue_task
from rojak.session.state import SessionState, Settings, Task
from rojak.session.steps import (
    AwaitApprovals,
    CallModel,
    CallTools,
    DeadlinePassed,
    FinishTurn,
    ModelReplied,
    ToolsAnswered,
    TurnBegun,
    TurnFinished,
)
from rojak.types import Agent, ConversationMessage, FunctionCall, Interrupt, LimitReached, ToolCall, Usage
from rojak.types.activities import ToolReturned


class LimitAgent(Agent):
    type: str = "limit-test"
    model: str = "m"


AGENT = LimitAgent(functions=["f", "asked"], interrupts=[Interrupt("asked")])


def begun(agent: Agent = AGENT, now: float = 100.0, **limits: Any) -> SessionState:
    """A session in its first turn."""
    state = SessionState(settings=Settings(**limits))
    enqueue_task(state, Task(id="t", messages=[ConversationMessage(role="user", content="hi")], agent=agent))
    apply(state, TurnBegun(now))
    return state


def replied(state: SessionState, *names: str, tokens: int = 2) -> None:
    """The model asks for calls of these functions, with the ids c0, c1 and so on; or answers."""
    offset = sum(len(m.tool_calls or []) for m in state.transcript)
    calls = [ToolCall(id=f"c{offset + i}", function=FunctionCall(name=name)) for i, name in enumerate(names)]
    fields: dict[str, Any] = {"tool_calls": calls} if calls else {"content": "answer"}
    usage = Usage(input_tokens=tokens - 1, output_tokens=1)
    apply(state, ModelReplied(ConversationMessage(role="assistant", usage=usage, **fields), 100.0))


def make_calls(state: SessionState) -> list[str]:
    """Make the calls that are to be made; their ids."""
    step = decide(state)
    assert isinstance(step, CallTools)
    ids = [pending.call.id for pending in step.calls]
    apply(state, ToolsAnswered({call_id: ToolReturned(output="ok") for call_id in ids}))
    return ids


def finish(state: SessionState) -> LimitReached | None:
    assert isinstance(decide(state), FinishTurn)
    apply(state, TurnFinished())
    return state.mailbox["t"].limit


def results(state: SessionState) -> list[str]:
    return [m.text for m in state.transcript if m.role == "tool"]


def test_the_first_calls_of_a_step_are_made_and_the_others_are_answered() -> None:
    state = begun(max_tool_calls=3)
    replied(state, "f")
    make_calls(state)
    replied(state, "f", "f", "f", "f")
    assert make_calls(state) == ["c1", "c2"]
    refused = "Not made: this run reached its limit max_tool_calls (3 tool calls)."
    assert results(state) == ["ok", "ok", "ok", refused, refused]
    assert finish(state) == LimitReached(kind="max_tool_calls", limit=3, used=3)


def test_a_run_that_used_all_its_calls_may_still_answer() -> None:
    state = begun(max_tool_calls=1)
    replied(state, "f")
    make_calls(state)
    assert isinstance(decide(state), CallModel)
    replied(state)
    assert finish(state) is None


def test_what_is_refused_waits_for_no_human() -> None:
    state = begun(max_tool_calls=1)
    replied(state, "f", "asked")
    assert list_approvals(state) == []
    make_calls(state)
    assert finish(state) is not None


def test_calls_that_no_model_would_see_are_not_made() -> None:
    state = begun(max_tokens_total=10)
    replied(state, "f", tokens=9)
    make_calls(state)
    replied(state, "f", tokens=5)
    assert results(state) == ["ok", "Not made: this run reached its limit max_tokens_total (10 tokens)."]
    assert finish(state) == LimitReached(kind="max_tokens_total", limit=10, used=14)


def test_an_answer_is_an_answer_whatever_it_cost() -> None:
    state = begun(max_tokens_total=10, max_turns=1)
    replied(state, tokens=50)
    assert finish(state) is None


def test_tokens_of_earlier_turns_do_not_count() -> None:
    state = begun(max_tokens_total=10)
    replied(state, tokens=9)
    finish(state)
    enqueue_task(state, Task(id="t2", messages=[ConversationMessage(role="user", content="hi")]))
    apply(state, TurnBegun(100.0))
    assert isinstance(decide(state), CallModel)


def test_max_turns_says_that_it_ended_the_run() -> None:
    state = begun(max_turns=2)
    replied(state, "f", "f")
    make_calls(state)
    assert finish(state) == LimitReached(kind="max_turns", limit=2, used=3)


def test_time_over_in_a_model_call() -> None:
    state = begun(run_timeout=5)
    apply(state, DeadlinePassed(105.5))
    assert finish(state) == LimitReached(kind="run_timeout", limit=5, used=5.5)
    assert [m.role for m in state.transcript] == ["user"]


def test_time_over_in_tool_calls_keeps_what_they_had_answered() -> None:
    state = begun(run_timeout=5)
    replied(state, "f", "f")
    apply(state, DeadlinePassed(105.0, {"c1": ToolReturned(output="ok")}))
    broken = "Broken off; it may have had an effect: this run reached its limit run_timeout (5 s)."
    assert results(state) == [broken, "ok"]
    assert finish(state) == LimitReached(kind="run_timeout", limit=5, used=5)


def test_time_over_says_which_calls_had_not_begun() -> None:
    state = begun(AGENT.model_copy(update={"parallel_tool_calls": False}), run_timeout=5)
    replied(state, "f", "f")
    apply(state, DeadlinePassed(105.0))
    assert [text.partition(":")[0] for text in results(state)] == ["Broken off; it may have had an effect", "Not made"]


def test_time_over_while_a_human_is_waited_for() -> None:
    state = begun(run_timeout=5)
    replied(state, "f", "asked")
    assert isinstance(decide(state), AwaitApprovals)
    apply(state, DeadlinePassed(105.0))
    assert [text.partition(":")[0] for text in results(state)] == ["Not made", "Not made"]
    assert finish(state) is not None
    assert list_approvals(state) == []


def test_of_two_limits_the_one_that_ended_the_run_is_named() -> None:
    state = begun(max_tool_calls=1, run_timeout=5)
    replied(state, "f", "f")
    apply(state, DeadlinePassed(105.0))
    limit = finish(state)
    assert limit is not None
    assert limit.kind == "run_timeout"
