"""What a person sees of a conversation."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from rojak.cli.times import span, until
from rojak.cli.view import (
    ConversationView,
    Piece,
    WholeTextView,
    call_line,
    on_one_line,
    printable,
    render_messages,
    render_request,
)
from rojak.client.events import (
    Done,
    Event,
    HandedOff,
    RetrievalFailed,
    Retrieved,
    TextDelta,
    ToolCalled,
    ToolResult,
)
from rojak.types.messages import ConversationMessage, FunctionCall, ToolCall
from rojak.types.session import LimitReached, OrchestratorResponse, ResumeRequest


def delta(text: str, *, reset: bool = False, agent: str | None = "triage", step: int = 0) -> TextDelta:
    return TextDelta(text=text, agent_name=agent, turn=1, step=step, attempt=1, seq=1, reset=reset)


def text_of(pieces: Iterable[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def shown(*events: Event, view: ConversationView | None = None) -> str:
    view = view or ConversationView()
    return text_of(piece for event in events for piece in view.show(event))


DONE = Done(task_id="t", result=OrchestratorResponse(messages=[]))


def test_text_comes_as_it_is_generated_with_the_speaker_once() -> None:
    assert shown(delta("Hel"), delta("lo"), DONE) == "triage> Hello\n"


def test_calls_answers_and_hand_offs_have_lines_of_their_own() -> None:
    called = ToolCalled(agent_name="triage", tool_id="c", tool_name="pay", arguments='{"amount":5}')
    answered = ToolResult(tool_id="c", tool_name="pay", content="paid\n5")
    handed = HandedOff(from_agent="triage", to_agent="billing")
    assert shown(delta("Wait"), called, answered, handed, delta("Done", agent="billing", step=1), DONE) == (
        'triage> Wait\n  triage calls pay {"amount": 5}\n  pay answers: paid 5\n'
        "  triage hands over to billing\nbilling> Done\n"
    )


def test_look_ups_are_shown_with_their_sources_and_failures_with_their_reason() -> None:
    found = Retrieved(agent_name="a", retriever="qdrant/notes", sources=["x.md", "y.md"])
    nothing = Retrieved(agent_name="a", retriever="qdrant", sources=[])
    failed = RetrievalFailed(agent_name="a", retriever="qdrant", error_type="ConnectError", reason="is it up?")
    assert shown(found, nothing, failed) == (
        "  a looks in qdrant/notes and finds: x.md, y.md\n  a looks in qdrant and finds: nothing\n"
        "  a cannot look in qdrant (ConnectError): is it up?\n"
    )


def test_another_attempt_that_says_the_same_is_not_noticed() -> None:
    assert shown(delta("one two"), delta("one", reset=True), delta(" two thr"), delta("ee"), DONE) == (
        "triage> one two three\n"
    )


def test_another_attempt_that_says_something_else_begins_anew() -> None:
    said = shown(delta("one two"), delta("on", reset=True), delta("ce upon"), DONE)
    assert said == "triage> one two\n  (a worker was lost; the answer begins anew)\nonce upon\n"
    said = shown(delta("one two"), delta("one", reset=True), DONE)
    assert said == "triage> one two\n  (a worker was lost; the answer begins anew)\none\n"


def test_a_pipe_gets_each_text_once_and_whole() -> None:
    events = (delta("one two"), delta("on", reset=True), delta("ce"), DONE)
    assert shown(*events, view=WholeTextView()) == "once\n"


def test_a_limit_is_said() -> None:
    limit = LimitReached(kind="max_turns", limit=3, used=3)
    done = Done(task_id="t", result=OrchestratorResponse(messages=[], limit=limit))
    assert "reached its limit max_turns (3 of 3)" in shown(done)


@pytest.mark.parametrize("evil", ["\x1b[2J", "\x1b]0;x\x07", "\r", "\x9b31m", "\u202e", "\x00"])
def test_nothing_in_a_text_commands_a_terminal(evil: str) -> None:
    assert not {*printable(evil)} & {"\x1b", "\x07", "\r", "\x9b", "\u202e", "\x00"}
    called = ToolCalled(agent_name="a", tool_id="c", tool_name=f"p{evil}", arguments=evil)
    assert not {*shown(called)} & {"\x1b", "\x07", "\r", "\x9b", "\u202e", "\x00"}


def test_long_lines_are_cut() -> None:
    assert on_one_line("word " * 100, 20) == "word word word wo..."
    assert call_line("f", "not json") == "f not json"
    assert call_line("f", "{}") == "f"


def test_a_conversation_that_was_reads_as_one_that_is() -> None:
    call = ToolCall(id="c", function=FunctionCall(name="pay", arguments='{"amount": 5}'))
    picture = [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]
    messages = [
        ConversationMessage(role="user", content="Pay"),
        ConversationMessage(role="assistant", sender="billing", tool_calls=[call]),
        ConversationMessage(role="tool", tool_call_id="c", content="paid 5"),
        ConversationMessage(role="assistant", sender="billing", content="Done"),
        ConversationMessage(role="user", content=picture),
    ]
    assert text_of(render_messages(messages)) == (
        'you> Pay\n  billing calls pay {"amount": 5}\n  pay answers: paid 5\nbilling> Done\nyou> [image_url]\n'
    )


def test_a_request_says_who_wants_what_and_how_long_there_is() -> None:
    request = ResumeRequest(
        tool_id="c",
        tool_name="pay",
        tool_arguments='{"amount": 5}',
        task_id="t",
        question="Pay?",
        agent_name="a",
        expires_at=160,
    )
    assert text_of(render_request(request, now=100)) == (
        'a wants to call pay\nPay?\n    {\n      "amount": 5\n    }\n  1m are left to decide\n'
    )


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0s"), (0, "0s"), (59, "59s"), (60, "1m"), (125, "2m5s"), (3601, "1h"), (90061, "1d1h")]
)
def test_spans_are_short(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_what_never_comes_has_no_time() -> None:
    assert until(None) is None
