"""When old messages are summarised, which of them, and what becomes of those who know them by index."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from rojak.agents import OpenAIAgent
from rojak.session.compaction import PREFIX, build_summary_agent, render_conversation
from rojak.session.core import apply, decide
from rojak.session.intake import enqueue_task
from rojak.session.limits import KEPT_TRANSCRIPT_BYTES, MAILBOX_BYTES, SUMMARY_CHARACTERS, size_of
from rojak.session.mailbox import find_reply
from rojak.session.state import SessionState, Settings, Summary, Task
from rojak.session.steps import (
    BeginTurn,
    Idle,
    ModelReplied,
    Summarise,
    Summarised,
    SummaryFailed,
    TurnBegun,
    TurnFinished,
)
from rojak.types import Agent, Compaction, ConversationMessage, FunctionCall, ImagePart, ToolCall, Usage


class SummaryAgent(Agent):
    type: str = "summary-test"
    model: str = "m"


AGENT = SummaryAgent(functions=["f"])


def user(text: str = "hi") -> ConversationMessage:
    return ConversationMessage(role="user", content=text)


def said(text: str = "ok", tokens: int = 1) -> ConversationMessage:
    return ConversationMessage(role="assistant", content=text, usage=Usage(input_tokens=tokens))


def calling(*ids: str) -> ConversationMessage:
    calls = [ToolCall(id=tool_id, function=FunctionCall(name="f")) for tool_id in ids]
    return ConversationMessage(role="assistant", tool_calls=calls)


def result(tool_id: str) -> ConversationMessage:
    return ConversationMessage(role="tool", content="ok", tool_call_id=tool_id)


def session_with(*messages: ConversationMessage, base: int = 0, **policy: Any) -> SessionState:
    total = sum(map(size_of, messages))
    settings = Settings(compaction=Compaction(**policy))
    return SessionState(transcript=list(messages), transcript_bytes=total, agent=AGENT, settings=settings, base=base)


def turn(state: SessionState, task_id: str, text: str = "ok", asked: str = "hi") -> None:
    enqueue_task(state, Task(id=task_id, messages=[user(asked)], agent=AGENT))
    assert isinstance(decide(state), BeginTurn)
    apply(state, TurnBegun())
    apply(state, ModelReplied(said(text), 0.0))
    apply(state, TurnFinished())


LONG = [user(), said(), user(), calling("a", "b"), result("a"), result("b"), said()]


@pytest.mark.parametrize(
    ("keep_last", "end"), [(0, 7), (1, 6), (2, 6), (3, 6), (4, 3), (5, 2)], ids=lambda value: str(value)
)
def test_a_result_goes_where_its_call_goes(keep_last: int, end: int) -> None:
    """u a u a(a,b) t t a: a cut among the results takes them with their call."""
    state = session_with(*LONG, base=100, trigger_messages=6, keep_last=keep_last)
    assert decide(state) == Summarise(start=100, end=100 + end)


@pytest.mark.parametrize(
    ("policy", "due"),
    [
        ({"trigger_messages": 7}, False),
        ({"trigger_messages": 6}, True),
        ({"trigger_bytes": 100_000}, False),
        ({"trigger_bytes": 1024}, False),
        ({"trigger_tokens": 1}, False),
        ({"trigger_messages": 50, "trigger_bytes": 100_000}, False),
    ],
)
def test_any_trigger_does(policy: dict[str, int], due: bool) -> None:
    assert isinstance(decide(session_with(*LONG, keep_last=2, **policy)), Summarise) == due


def test_large_messages_and_dear_calls_are_triggers() -> None:
    assert isinstance(decide(session_with(user("x" * 2000), said(), trigger_bytes=1024, keep_last=0)), Summarise)
    assert isinstance(decide(session_with(user(), said(tokens=9), trigger_tokens=8, keep_last=0)), Summarise)
    assert isinstance(decide(session_with(user(), said(tokens=9), trigger_tokens=9, keep_last=0)), Idle)


def test_the_summary_takes_the_place_of_what_it_is_about() -> None:
    state = session_with(*LONG, trigger_messages=6, keep_last=4)
    step = decide(state)
    assert isinstance(step, Summarise)
    apply(state, Summarised(Summary(start=step.start, end=step.end, text="They talked.", usage=Usage(input_tokens=10))))
    assert state.usage.input_tokens == 10
    assert state.transcript == LONG, "until the next turn begins the conversation is what the last answer was part of"
    assert isinstance(decide(state), Idle)
    state = SessionState.model_validate_json(state.model_dump_json(exclude_unset=True))
    turn(state, "t")
    assert [m.text for m in state.transcript] == [f"{PREFIX}They talked.", "", "ok", "ok", "ok", "hi", "ok"]
    assert state.summary is None
    assert state.transcript_bytes == sum(map(size_of, state.transcript))


def test_a_summary_is_cut_to_what_a_session_can_carry() -> None:
    state = session_with(*LONG, trigger_messages=6, keep_last=0)
    apply(state, Summarised(Summary(start=0, end=7, text="x" * 10**6, usage=Usage())))
    assert state.summary is not None
    assert len(state.summary.text) == SUMMARY_CHARACTERS


def test_a_summary_of_a_conversation_that_was_replaced_is_dropped() -> None:
    state = session_with(*LONG, base=3, trigger_messages=6, keep_last=0)
    before = list(state.transcript)
    apply(state, Summarised(Summary(start=0, end=7, text="late", usage=Usage(input_tokens=10))))
    assert state.summary is None
    assert state.transcript == before
    assert state.usage.input_tokens == 10


def test_a_policy_that_was_taken_away_takes_its_summary_with_it() -> None:
    state = session_with(*LONG, trigger_messages=6, keep_last=0)
    apply(state, Summarised(Summary(start=0, end=7, text="ok")))
    state.settings = Settings(history_size=3)
    turn(state, "t")
    assert [m.text for m in state.transcript] == ["ok", "hi", "ok"]


def test_a_summary_that_fails_is_tried_again_after_the_next_turn() -> None:
    state = session_with(*LONG, trigger_messages=6, keep_last=0)
    apply(state, SummaryFailed("RateLimitError"))
    assert state.summary_error == "RateLimitError"
    assert isinstance(decide(state), Idle)
    state = SessionState.model_validate_json(state.model_dump_json(exclude_unset=True))
    assert isinstance(decide(state), Idle)
    turn(state, "t")
    step = decide(state)
    assert isinstance(step, Summarise)
    apply(state, Summarised(Summary(start=step.start, end=step.end, text="ok", usage=Usage())))
    assert state.summary_error is None


def test_without_a_summary_only_size_drops_messages() -> None:
    state = session_with(*[user("x" * 50_000) for _ in range(20)], trigger_messages=2, keep_last=0)
    apply(state, SummaryFailed("RateLimitError"))
    enqueue_task(state, Task(id="t", messages=[user()], agent=AGENT))
    apply(state, TurnBegun())
    assert 10 < len(state.transcript) < 20
    assert state.transcript_bytes <= KEPT_TRANSCRIPT_BYTES + 1000
    few = session_with(*[user() for _ in range(20)], trigger_messages=30, keep_last=0)
    turn(few, "t")
    assert len(few.transcript) == 22, "history_size has no effect"


def test_nothing_is_summarised_in_a_turn_or_before_there_is_an_agent_or_without_a_policy() -> None:
    state = session_with(*LONG, trigger_messages=6, keep_last=0)
    state.agent = None
    assert isinstance(decide(state), Idle)
    state = session_with(*LONG, trigger_messages=6, keep_last=0)
    state.settings = Settings()
    assert isinstance(decide(state), Idle)
    state = session_with(*LONG, trigger_messages=6, keep_last=0)
    state.type = "stateless"
    assert isinstance(decide(state), Idle)


def test_long_replies_are_found_where_they_are_now() -> None:
    """A reply that is too long for the mailbox is read from the conversation, whose indexes the summary changed."""
    state = session_with(trigger_messages=4, keep_last=2)
    turn(state, "t1")
    turn(state, "t2")
    text = "y" * (MAILBOX_BYTES // 2)
    turn(state, "t3", text)
    step = decide(state)
    assert isinstance(step, Summarise)
    apply(state, Summarised(Summary(start=step.start, end=step.end, text="ok", usage=Usage())))
    turn(state, "t4")
    reply = find_reply(state, "t3")
    assert reply is not None
    assert [m.text for m in reply.messages] == [text]
    assert (reply.base, reply.end) == (state.base, state.end - 2)
    assert find_reply(state, "t1") is not None


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({}, "needs a trigger"),
        ({"trigger_messages": 6, "keep_last": 6}, "has to be smaller"),
        ({"trigger_messages": 1}, "greater than or equal to 2"),
        ({"trigger_messages": 9, "model": ""}, "at least 1 character"),
    ],
)
def test_a_policy_that_cannot_work_is_an_error(policy: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Compaction(**policy)


def test_the_summary_needs_only_what_calls_the_model() -> None:
    agent = OpenAIAgent(name="A", instructions="Long.", functions=["f"], tool_choice="required")
    lean = build_summary_agent(agent, "small")
    assert lean.model_dump(exclude_unset=True) == {"type": "openai", "model": "small", "name": "A"}
    assert build_summary_agent(agent, None).model == agent.model


def test_the_conversation_is_material_in_one_text() -> None:
    picture = ConversationMessage(
        role="user", content=[{"type": "text", "text": "see"}, ImagePart("https://a.b/c.png")]
    )
    text = render_conversation([picture, calling("a"), result("a"), said("x" * 20_000)])
    assert text.splitlines()[:5] == [
        "<conversation>",
        "user: see",
        "user: [shows an image]",
        "assistant calls f({})",
        "result of the tool: ok",
    ]
    assert "[4000 more characters]" in text
