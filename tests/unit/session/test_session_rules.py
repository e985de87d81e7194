"""Rules of the session, one by one: trimming, limits, windows, replies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rojak.retrievers.retrieval_activity import render_passages
from rojak.session.core import apply, decide
from rojak.session.intake import check_task, enqueue_task
from rojak.session.limits import (
    CONTEXT_BYTES,
    INLINE_BYTES,
    KEPT_TRANSCRIPT_BYTES,
    MAILBOX_REPLIES,
    TASK_BYTES,
    TURN_TRANSCRIPT_BYTES,
    size_of,
)
from rojak.session.mailbox import find_reply
from rojak.session.progress import read_progress
from rojak.session.results import fit_message
from rojak.session.state import SessionState, Settings, Task
from rojak.session.steps import (
    BeginTurn,
    CallModel,
    CallTools,
    FinishTurn,
    Idle,
    ModelReplied,
    Retrieved,
    ToolsAnswered,
    TurnBegun,
    TurnFinished,
)
from rojak.session.transcript import build_window, trim
from rojak.types import Agent, ConversationMessage, FunctionCall, Passage, Retriever, ToolCall, Usage
from rojak.types.activities import PatchOperation, ToolReturned
from rojak.types.errors import PayloadTooLargeError, ResultNotFoundError, SessionBusyError

#: What Temporal takes in one payload.
PAYLOAD_LIMIT = 2 * 1024 * 1024


class RuleRetriever(Retriever):
    type: str = "rule-test"


class RuleAgent(Agent):
    type: str = "rule-test"
    model: str = "m"


AGENT = RuleAgent(functions=["f"])


def user(text: str = "hi") -> ConversationMessage:
    return ConversationMessage(role="user", content=text)


def calling(*ids: str) -> ConversationMessage:
    calls = [ToolCall(id=tool_id, function=FunctionCall(name="f")) for tool_id in ids]
    return ConversationMessage(role="assistant", tool_calls=calls, id=f"m-{'-'.join(ids)}")


def result(tool_id: str) -> ConversationMessage:
    return ConversationMessage(role="tool", content="ok", tool_call_id=tool_id)


def said(text: str = "done") -> ConversationMessage:
    return ConversationMessage(role="assistant", content=text, id=f"m-{text[:8]}")


def session_with(*messages: ConversationMessage, **fields: Any) -> SessionState:
    total = sum(map(size_of, messages))
    return SessionState(transcript=list(messages), transcript_bytes=total, agent=AGENT, **fields)


def give(state: SessionState, task_id: str, *messages: ConversationMessage) -> None:
    task = Task(id=task_id, messages=list(messages) or [user()], agent=AGENT)
    check_task(state, task, "persistent")
    enqueue_task(state, task)


def answer(state: SessionState, text: str = "done") -> None:
    """One turn of one answer."""
    assert isinstance(decide(state), BeginTurn)
    apply(state, TurnBegun())
    assert isinstance(decide(state), CallModel)
    apply(state, ModelReplied(said(text), 0.0))
    assert isinstance(decide(state), FinishTurn)
    apply(state, TurnFinished())


@pytest.mark.parametrize(
    ("size", "kept"),
    [(7, "uattaua"), (6, "attaua"), (5, "aua"), (4, "aua"), (3, "aua"), (2, "ua"), (0, "")],
)
def test_trimming_never_leaves_a_result_without_its_call(size: int, kept: str) -> None:
    """u a(c1,c2) t t a u a: a cut among the results takes them all."""
    state = session_with(
        user(),
        calling("c1", "c2"),
        result("c1"),
        result("c2"),
        said(),
        user(),
        said(),
        settings=Settings(history_size=size),
    )
    trim(state)
    assert "".join(message.role[0] for message in state.transcript) == kept
    assert state.base == 7 - len(kept)
    assert state.transcript_bytes == sum(map(size_of, state.transcript))


def test_what_is_kept_is_limited_in_bytes_too() -> None:
    state = session_with(*[user("x" * 100_000) for _ in range(9)], settings=Settings(history_size=None))
    trim(state)
    assert state.transcript_bytes <= KEPT_TRANSCRIPT_BYTES
    assert state.end == 9


def test_a_small_window_travels_whole() -> None:
    state = session_with(user(), said(), user())
    window = build_window(state)
    assert [(m.role, m.text) for m in window.messages] == [(m.role, m.text) for m in state.transcript]
    assert window.previous is None


def test_of_a_large_window_only_what_is_new_travels() -> None:
    state = session_with(user("x" * INLINE_BYTES), calling("c1"), result("c1"), base=10)
    window = build_window(state)
    assert (window.start, window.end, window.previous) == (10, 13, "m-c1")
    assert [m.tool_call_id for m in window.messages] == ["c1"]


def test_what_is_kept_for_people_does_not_travel() -> None:
    message = ConversationMessage(role="assistant", content="x", sender="A", id="m", usage=Usage(input_tokens=1))
    (sent,) = build_window(session_with(message)).messages
    assert sent == ConversationMessage(role="assistant", content="x")


def test_of_a_large_window_without_an_answer_nothing_travels() -> None:
    window = build_window(session_with(user("x" * INLINE_BYTES)))
    assert (window.messages, window.previous) == ([], None)


@pytest.mark.parametrize("text", ["x" * 9000, "\u0000" * 9000, "ü" * 9000, '"\n' * 5000])
@pytest.mark.parametrize("room", [5000, 2000, 1000])
def test_a_message_that_was_cut_fits(text: str, room: int) -> None:
    message = ConversationMessage(role="tool", content=text, tool_call_id="c1")
    cut = fit_message(message, room)
    assert size_of(cut) <= room
    assert "[cut:" in cut.text


def test_replies_make_room_for_newer_ones_and_say_so() -> None:
    state = SessionState(settings=Settings(history_size=2))
    for number in range(MAILBOX_REPLIES + 5):
        give(state, f"t{number}")
        answer(state)
    assert len(state.mailbox) <= MAILBOX_REPLIES
    with pytest.raises(ResultNotFoundError, match="'t0' was answered, and its reply is no longer kept"):
        find_reply(state, "t0")
    with pytest.raises(ResultNotFoundError, match="knows no task 'other'"):
        find_reply(state, "other")
    assert find_reply(state, f"t{MAILBOX_REPLIES + 4}") is not None


def test_a_long_reply_is_read_from_the_conversation() -> None:
    state = SessionState(settings=Settings(history_size=1))
    give(state, "long")
    answer(state, "y" * 100_000)
    assert state.mailbox["long"].messages == []
    reply = find_reply(state, "long")
    assert reply is not None
    assert reply.messages[-1].text == "y" * 100_000
    for name in ("next", "and next"):
        give(state, name)
        answer(state)
    with pytest.raises(ResultNotFoundError, match="no longer kept"):
        find_reply(state, "long")


def test_progress_says_in_which_phase_a_task_is() -> None:
    state = SessionState()
    give(state, "one")
    give(state, "two")
    assert read_progress(state, "one", 0).phase == "queued"
    apply(state, TurnBegun())
    apply(state, ModelReplied(calling("c1"), 0.0))
    progress = read_progress(state, "one", 0)
    assert (progress.phase, progress.start, [m.role for m in progress.messages]) == ("running", 1, ["assistant"])
    assert read_progress(state, "one", 2).messages == []
    assert read_progress(state, "two", 0).phase == "queued"


def test_context_that_grows_too_large_is_dropped_and_the_model_hears_of_it() -> None:
    state = SessionState(context_variables={"kept": 1})
    give(state, "one")
    apply(state, TurnBegun())
    apply(state, ModelReplied(calling("c1"), 0.0))
    big = ToolReturned(output="ok", patch=[PatchOperation(path=["big"], value="x" * CONTEXT_BYTES)])
    apply(state, ToolsAnswered({"c1": big}))
    assert state.context_variables == {"kept": 1}
    assert "dropped" in state.transcript[-1].text


def test_a_busy_session_takes_so_much_and_no_more() -> None:
    state = SessionState()
    give(state, "first", user("x" * (TASK_BYTES - 1000)))
    with pytest.raises(SessionBusyError, match="send it when some are answered"):
        give(state, "second", user("x" * 100_000))
    with pytest.raises(PayloadTooLargeError, match="the task's messages"):
        give(SessionState(), "huge", user("x" * TASK_BYTES))


def test_the_state_fits_into_a_payload_whatever_happens() -> None:
    """The largest of everything at once: messages, a task, a queue, results of tools, context variables, agents."""
    agent = RuleAgent(functions=["f"], instructions="i" * 60_000, retriever=RuleRetriever())
    state = SessionState(settings=Settings(history_size=None), context_variables={"c": "x" * (CONTEXT_BYTES - 1000)})
    for number in range(6):
        give(state, f"t{number}", user("k" * 100_000))
        answer(state, "a" * 100_000)
    enqueue_task(state, Task(id="big", messages=[user("b" * (TASK_BYTES - 1000))], agent=agent))
    apply(state, TurnBegun())
    for number in range(3):
        enqueue_task(state, Task(id=f"q{number}", messages=[user("q" * 60_000)], agent=agent))
    apply(state, Retrieved(render_passages([Passage("\x00" * 20_000, f"source {n}") for n in range(40)])))
    for step in range(5):
        ids = [f"c{step}-{number}" for number in range(8)]
        apply(state, ModelReplied(calling(*ids), 0.0))
        if state.turn is None:
            break
        assert isinstance(decide(state), CallTools)
        patch = [PatchOperation(path=["c"], value="y" * (CONTEXT_BYTES - 1000))]
        apply(state, ToolsAnswered({i: ToolReturned(output="z" * 256_000, patch=patch, agent=agent) for i in ids}))
        assert len(state.model_dump_json(exclude_unset=True)) < PAYLOAD_LIMIT - 64 * 1024
    assert state.transcript_bytes <= TURN_TRANSCRIPT_BYTES + 100_000
    assert json.loads(state.model_dump_json())["version"] == 1


def test_max_turns_of_zero_generates_nothing() -> None:
    state = SessionState(settings=Settings(max_turns=0))
    give(state, "one")
    apply(state, TurnBegun())
    assert isinstance(decide(state), FinishTurn)
    apply(state, TurnFinished())
    assert isinstance(decide(state), Idle)
    assert state.mailbox["one"].messages == []
