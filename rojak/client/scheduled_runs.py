"""Runs of a schedule whose turns are one conversation: the answer of one that is still running."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from temporalio.client import WorkflowExecutionDescription

from rojak.client.gateway import SessionGateway
from rojak.client.patience import first_of
from rojak.session.reply import Reply
from rojak.types.errors import ResultNotFoundError, RunCancelledError, SessionNotFoundError
from rojak.workflows import contracts
from rojak.workflows.contracts import ScheduledTurn

#: Seconds between two looks whether the session has the task: the first pause, its growth, the longest.
_FIRST_PAUSE, _PAUSE_GROWTH, _LONGEST_PAUSE = 0.1, 1.5, 5.0
_TYPE: Final = contracts.SCHEDULED_TURN_NAME


def is_scheduled_turn(description: WorkflowExecutionDescription) -> bool:
    """Whether the workflow is a turn of a session that a schedule asked for, and no session itself."""
    return description.workflow_type == _TYPE


async def await_scheduled_turn(gateway: SessionGateway, description: WorkflowExecutionDescription) -> Reply:
    """The reply of the session to a turn that runs; also a request for approval, for which the run goes on waiting.

    Raises:
        RunFailedError: the turn failed.
        RunCancelledError: the session, or the run, was cancelled.
    """
    # The end of the run is there first where it fails before the session has the task.
    reply = await first_of(gateway.read_end(description.id, ""), _await_reply(gateway, description))
    # To the caller it is a run that did one task, as it is once it has ended.
    return reply.model_copy(update={"session_type": "stateless"})


async def _await_reply(gateway: SessionGateway, description: WorkflowExecutionDescription) -> Reply:
    turn = await _read_input(gateway, description)
    task_id: Any = description.raw_description.workflow_execution_info.first_run_id
    pause = _FIRST_PAUSE
    while True:
        try:
            found: Reply | None = await gateway.query(turn.session_id, contracts.QUERY_REPLY, [task_id], Reply)
        except (ResultNotFoundError, SessionNotFoundError):
            # It is not delivered yet: a worker may have to be there first.
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * _PAUSE_GROWTH)
            continue
        reply = found or await gateway.await_reply(turn.session_id, task_id)
        if reply.kind == "cancelled":
            raise RunCancelledError(f"session {turn.session_id!r} was cancelled")
        return reply


async def _read_input(gateway: SessionGateway, description: WorkflowExecutionDescription) -> ScheduledTurn:
    async for event in gateway.handle(description.id, description.run_id).fetch_history_events(page_size=1):
        payloads = event.workflow_execution_started_event_attributes.input.payloads
        (turn,) = await gateway.client.data_converter.decode(payloads, [ScheduledTurn])
        assert isinstance(turn, ScheduledTurn)
        return turn
    raise AssertionError("a history begins with an event")
