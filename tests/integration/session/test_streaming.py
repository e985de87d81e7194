"""Watching a run: what is shown, in which order, and what it costs."""

from __future__ import annotations

import pytest

from rojak import Rojak
from rojak.client import Done, Event, HandedOff, Started, TextDelta, ToolCalled, ToolResult, WaitingForApproval
from rojak.testing import ModelServer
from rojak.types import ResumeResponse
from rojak.types.errors import RunFailedError, ToolCallNotPendingError
from tests.integration.session.conftest import answer, task

pytestmark = pytest.mark.usefixtures("worker")

TYPES = pytest.mark.parametrize("session_type", ["stateless", "persistent"])


def shown(events: list[Event]) -> str:
    said = ""
    for event in events:
        if isinstance(event, TextDelta):
            said = event.text if event.reset else said + event.text
    return said


def kinds(events: list[Event]) -> list[type]:
    return [type(event) for event in events if not isinstance(event, TextDelta)]


@TYPES
async def test_events_come_in_order_and_end_with_the_answer(rojak: Rojak, session_id: str, session_type: str) -> None:
    script = task("call add; transfer_to_b", "say Hello from B")
    events = [event async for event in rojak.stream(id=session_id, type=session_type, task=script)]
    assert kinds(events) == [Started, ToolCalled, ToolCalled, ToolResult, ToolResult, HandedOff, Done]
    assert shown(events) == "Hello from B"
    done = events[-1]
    assert isinstance(done, Done)
    assert answer(done.result) == "Hello from B"


async def test_text_is_shown_while_it_is_generated_and_costs_no_event(
    rojak: Rojak, model: ModelServer, session_id: str
) -> None:
    words = " ".join(f"word{i}" for i in range(30))
    model.when(last_user="tell").reply(words).slow(chunk_delay=0.03)
    events = [event async for event in rojak.stream(id=session_id, task=task("tell"))]
    deltas = [event for event in events if isinstance(event, TextDelta)]
    assert len(deltas) > 3
    assert shown(events) == words
    assert [delta.seq for delta in deltas] == sorted(delta.seq for delta in deltas)
    history = await rojak.client.get_workflow_handle(session_id).fetch_history()
    assert len(history.events) <= 11


async def test_a_failed_attempt_resets_what_was_shown(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    model.when(last_user="tell").reply("one two three four five six").slow(chunk_delay=0.1).break_stream(
        after_chunks=4
    ).times(1)
    model.when(last_user="tell").reply("another answer")
    events = [event async for event in rojak.stream(id=session_id, task=task("tell"))]
    assert shown(events) == "another answer"


@TYPES
async def test_a_stream_ends_where_a_human_is_asked_and_another_goes_on(
    rojak: Rojak, session_id: str, session_type: str
) -> None:
    script = task("call add", "call pay", "say Thanks")
    events = [event async for event in rojak.stream(id=session_id, type=session_type, task=script)]
    assert kinds(events) == [Started, ToolCalled, ToolResult, ToolCalled, WaitingForApproval]
    waiting = events[-1]
    assert isinstance(waiting, WaitingForApproval)
    (request,) = waiting.requests
    approve = ResumeResponse(action="approve", tool_id=request.tool_id)
    events = [event async for event in rojak.stream(id=session_id, resume=approve)]
    assert kinds(events) == [ToolResult, Done]
    assert shown(events) == "Thanks"
    if session_type == "persistent":
        with pytest.raises(ToolCallNotPendingError):
            _ = [event async for event in rojak.stream(id=session_id, resume=approve)]


async def test_a_failed_turn_raises(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    model.when(last_user="refused").error(400, "no")
    with pytest.raises(RunFailedError, match="BadRequestError"):
        _ = [event async for event in rojak.stream(id=session_id, type="persistent", task=task("refused"))]


async def test_leaving_a_stream_leaves_the_run_alone(rojak: Rojak, session_id: str) -> None:
    script = task("call slow", "say finished anyway")
    async for event in rojak.stream(id=session_id, task=script):
        if isinstance(event, Started):
            break
    assert answer(await rojak.get_result(session_id)) == "finished anyway"
