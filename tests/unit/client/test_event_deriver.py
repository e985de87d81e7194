"""The order and the completeness of what a watcher of a run is shown."""

from __future__ import annotations

from rojak.agents.streaming import TextProgress
from rojak.client.events import (
    Event,
    HandedOff,
    RetrievalFailed,
    Retrieved,
    Started,
    TextDelta,
    ToolCalled,
    ToolResult,
)
from rojak.client.streaming import EventDeriver, take_progress
from rojak.session.progress import Progress
from rojak.session.turn import HandOff
from rojak.types import ConversationMessage, FunctionCall, Retrieval, ToolCall


def answer(text: str, sender: str = "A") -> ConversationMessage:
    return ConversationMessage(role="assistant", content=text, sender=sender)


def asking(name: str, tool_id: str) -> ConversationMessage:
    call = ToolCall(id=tool_id, function=FunctionCall(name=name))
    return ConversationMessage(role="assistant", tool_calls=[call], sender="A")


def result(text: str, tool_id: str) -> ConversationMessage:
    return ConversationMessage(role="tool", content=text, tool_call_id=tool_id)


def text(so_far: str, *, step: int = 0, attempt: int = 1, offset: int = 0) -> TextProgress:
    return TextProgress(session_id="s", turn=1, step=step, attempt=attempt, offset=offset, text=so_far)


def started_deriver() -> EventDeriver:
    deriver = EventDeriver("task")
    assert list(deriver.start("A", turn=1, first=3)) == [Started(task_id="task", agent_name="A")]
    return deriver


def shown(events: list[Event]) -> str:
    said = ""
    for event in events:
        if isinstance(event, TextDelta):
            said = event.text if event.reset else said + event.text
    return said


def test_a_turn_starts_once() -> None:
    deriver = started_deriver()
    assert list(deriver.start("A", turn=1, first=3)) == []


def test_messages_become_calls_results_and_text_in_order() -> None:
    deriver = started_deriver()
    messages = [asking("add", "c1"), result("3", "c1"), answer("It is 3.")]
    events = list(deriver.take_messages(3, messages, []))
    assert [type(event) for event in events] == [ToolCalled, ToolResult, TextDelta]
    assert events[1] == ToolResult(tool_id="c1", tool_name="add", content="3")
    assert shown(events) == "It is 3."


def test_messages_seen_twice_are_shown_once() -> None:
    deriver = started_deriver()
    messages = [asking("add", "c1"), result("3", "c1")]
    assert len(list(deriver.take_messages(3, messages, []))) == 2
    assert list(deriver.take_messages(3, messages, [])) == []
    assert len(list(deriver.take_messages(3, [*messages, answer("done")], []))) == 1


def test_a_hand_off_comes_between_the_result_and_the_next_answer() -> None:
    deriver = started_deriver()
    handoffs = [HandOff(index=5, from_agent="A", to_agent="B")]
    messages = [asking("transfer", "c1"), result("ok", "c1"), answer("B here", "B")]
    events = list(deriver.take_messages(3, messages, handoffs))
    assert [type(event) for event in events] == [ToolCalled, ToolResult, HandedOff, TextDelta]
    assert list(deriver.take_messages(3, messages, handoffs)) == []


def test_what_was_retrieved_comes_before_the_answer_that_it_is_for_and_once() -> None:
    deriver = started_deriver()
    handoffs = [HandOff(index=5, from_agent="A", to_agent="B")]
    found = Retrieval(index=3, agent_name="A", retriever="shelf", sources=["page 1"])
    failed = Retrieval(index=5, agent_name="B", retriever="shelf", error_type="RetrievalError", reason="down")
    assert list(deriver.take_messages(3, [], [], [found])) == [Retrieved("A", "shelf", ["page 1"])]
    messages = [asking("transfer", "c1"), result("ok", "c1"), answer("B here", "B")]
    events = list(deriver.take_messages(3, messages, handoffs, [found, failed]))
    assert [type(event) for event in events] == [ToolCalled, ToolResult, HandedOff, RetrievalFailed, TextDelta]
    assert list(deriver.take_messages(3, messages, handoffs, [found, failed])) == []


def test_streamed_text_is_not_repeated_by_the_durable_message() -> None:
    deriver = started_deriver()
    events: list[Event] = []
    for so_far in ("Hel", "Hel", "Hello wo"):
        events += deriver.take_text(text(so_far), "A")
    events += deriver.take_messages(3, [answer("Hello world")], [])
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["Hel", "lo wo", "rld"]
    assert shown(events) == "Hello world"


def test_a_second_attempt_resets_what_was_shown() -> None:
    deriver = started_deriver()
    events = list(deriver.take_text(text("Half an ans"), "A"))
    events += deriver.take_text(text("An", attempt=2), "A")
    assert [event.reset for event in events if isinstance(event, TextDelta)] == [False, True]
    # What the first attempt said arrives late and is void.
    assert list(deriver.take_text(text("Half an answer"), "A")) == []
    events += deriver.take_messages(3, [answer("Another answer")], [])
    assert shown(events) == "Another answer"


def test_a_durable_message_that_differs_from_what_was_shown_replaces_it() -> None:
    deriver = started_deriver()
    events = list(deriver.take_text(text("Lost attempt"), "A"))
    events += deriver.take_messages(3, [answer("Kept attempt")], [])
    assert shown(events) == "Kept attempt"


def test_text_beyond_what_a_report_holds_comes_with_the_message() -> None:
    deriver = started_deriver()
    events = list(deriver.take_text(text("0123"), "A"))
    events += deriver.take_text(text("89", offset=8), "A")
    events += deriver.take_messages(3, [answer("0123456789")], [])
    assert shown(events) == "0123456789"


def test_text_of_another_step_is_not_shown() -> None:
    deriver = started_deriver()
    assert list(deriver.take_text(text("later", step=1), "A")) == []


def test_a_resumed_turn_shows_only_what_comes_after() -> None:
    deriver = EventDeriver("task")
    before = [asking("pay", "c1")]
    deriver.skip(Progress(phase="waiting_for_approval", turn=1, step=1, first=3, start=3, messages=before))
    progress = Progress(
        phase="running", turn=1, step=1, agent_name="A", first=3, start=3, messages=[*before, result("paid", "c1")]
    )
    events = list(take_progress(deriver, progress))
    assert events == [ToolResult(tool_id="c1", tool_name="pay", content="paid")]
    assert shown(list(deriver.take_text(text("Thank", step=1), "A"))) == "Thank"


def test_a_queued_task_shows_nothing() -> None:
    assert list(take_progress(EventDeriver("task"), Progress(phase="queued"))) == []
