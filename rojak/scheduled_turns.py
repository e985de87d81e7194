"""The activities by which a scheduled turn reaches its session.

None of them waits for the turn: a turn needs activities itself, and those that wait would take their room. While there
is no reply a try fails, and Temporal makes another one later; that costs neither a worker's time nor history.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any, Final, TypeVar

from temporalio import activity
from temporalio.client import (
    Client,
    RPCTimeoutOrCancelledError,
    WithStartWorkflowOperation,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
)
from temporalio.common import TypedSearchAttributes, WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError, RPCStatusCode

from rojak.session.receipts import Receipt
from rojak.session.reply import Reply
from rojak.workflows import contracts
from rojak.workflows.contracts import Ask, ScheduledTurn, SessionInput

T = TypeVar("T")

#: Seconds after which an update that the session did not take counts as lost.
_DELIVERY: Final = 10.0
#: Seconds for which the reply is waited for right away: some turns are short.
_SHORT_TURN: Final = 2.0
#: Seconds between two looks for the reply, from the first to the longest.
_FIRST_PAUSE, _PAUSE_GROWTH, _LONGEST_PAUSE = 0.5, 1.3, 15.0
_QUERY_TIMEOUT: Final = timedelta(seconds=10)
#: What a session refuses now and takes a moment later: it rolls over, one of its id is about to end, or its worker was
#: too slow for the update.
_PASSING: Final = (contracts.SESSION_DRAINING, "SessionNotFoundError", "UnprocessedUpdate")
#: The session took the task and rolled over, or ended, before it answered.
_ENDED_MEANWHILE: Final = "AcceptedUpdateCompletedWorkflow"


class ScheduledTurnActivities:
    """Speak to sessions in the name of schedules.

    Args:
        client: the worker's.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    @activity.defn(name=contracts.DELIVER_TASK)
    async def deliver_task(self, turn: ScheduledTurn) -> Reply | None:
        """Give the session the task, once however often it is tried; the session begins if there is none.

        Returns:
            The reply if it comes at once.

        Raises:
            ApplicationError: the session refuses the task.
            TimeoutError: the session did not take it, as where Temporal lost the update.
        """
        info = activity.info()
        if info.attempt > 1 and (receipt := await self._find_receipt(turn)).known:
            return None if receipt.reply is None else _ended(turn, receipt.reply)
        start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
            contracts.WORKFLOW_NAME,
            SessionInput(type="persistent"),
            id=turn.session_id,
            task_queue=info.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            search_attributes=await self._attributes(turn),
        )
        try:
            sent = self._client.start_update_with_start_workflow(
                contracts.UPDATE_ASK,
                Ask(task=turn.task),
                # A lost update is never answered, also where it is sent again under the same id.
                id=f"{turn.task.id}/{info.attempt}",
                start_workflow_operation=start,
                wait_for_stage=WorkflowUpdateStage.ACCEPTED,
                result_type=Reply,
            )
            try:
                handle = await _within(_DELIVERY, sent)
            except BaseException:
                # The SDK tells of the failure here too, and what nobody looks at is logged as overlooked.
                started = asyncio.ensure_future(start.workflow_handle())
                started.add_done_callback(lambda future: future.cancelled() or future.exception())
                raise
            with contextlib.suppress(TimeoutError):
                reply: Reply = await _within(_SHORT_TURN, handle.result())
                return _ended(turn, reply.restored(turn.task, "persistent"))
            return None
        except WorkflowUpdateFailedError as error:
            if isinstance(error.cause, ApplicationError) and error.cause.type == _ENDED_MEANWHILE:
                return None
            raise _refusal(error) from error

    @activity.defn(name=contracts.FETCH_REPLY)
    async def fetch_reply(self, turn: ScheduledTurn) -> Reply | None:
        """The reply to a task that the session has.

        Raises:
            ApplicationError: there is none yet; or there will be none.
        """
        handle = self._client.get_workflow_handle(turn.session_id)
        try:
            reply: Reply | None = await handle.query(
                contracts.QUERY_REPLY, turn.task.id, result_type=Reply, rpc_timeout=_QUERY_TIMEOUT
            )
        except WorkflowQueryFailedError as error:
            raise ApplicationError(str(error), type="ResultNotFoundError", non_retryable=True) from error
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            message = f"session {turn.session_id!r} is gone, and the task with it"
            raise ApplicationError(message, type="SessionNotFoundError", non_retryable=True) from error
        if reply is not None and (ended := _ended(turn, reply)) is not None:
            return ended
        why = "has not answered yet" if reply is None else "waits for approval"
        raise ApplicationError(
            f"session {turn.session_id!r} {why}",
            type="NoReplyYet",
            next_retry_delay=_pause_after(activity.info().attempt),
            category=ApplicationErrorCategory.BENIGN,
        )

    async def _find_receipt(self, turn: ScheduledTurn) -> Receipt:
        """What became of the task that an earlier try sent; nothing where there is no session that says so."""
        handle = self._client.get_workflow_handle(turn.session_id)
        try:
            receipt: Receipt = await handle.query(
                contracts.QUERY_RECEIPT, args=["task", turn.task.id], result_type=Receipt, rpc_timeout=_QUERY_TIMEOUT
            )
        except WorkflowQueryFailedError:
            return Receipt()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return Receipt()
        return receipt

    async def _attributes(self, turn: ScheduledTurn) -> TypedSearchAttributes:
        """Those that a session starts with, where the namespace knows them: this run has one then."""
        found = activity.info()
        assert found.workflow_id is not None
        description = await self._client.get_workflow_handle(found.workflow_id, run_id=found.workflow_run_id).describe()
        if description.typed_search_attributes.get(contracts.AGENT_ATTRIBUTE) is None:
            return TypedSearchAttributes.empty
        return TypedSearchAttributes(contracts.initial_attributes(turn.task.agent.name if turn.task.agent else None))


async def _within(seconds: float, work: Awaitable[T]) -> T:
    """The result of ``work``, if it comes in time.

    Raises:
        TimeoutError: it does not.
    """
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await work
    except RPCTimeoutOrCancelledError as error:
        # As which the SDK reports that a call was broken off.
        if not limit.expired():
            raise
        raise TimeoutError(f"no answer within {seconds:g} s") from error


def _ended(turn: ScheduledTurn, reply: Reply) -> Reply | None:
    """The reply, if it is how the turn ended.

    Raises:
        ApplicationError: somebody cancelled the session.
    """
    if reply.kind == "cancelled":
        message = f"session {turn.session_id!r} was cancelled"
        raise ApplicationError(message, type="RunCancelledError", non_retryable=True)
    return reply if reply.kind in ("done", "failed") else None


def _refusal(error: WorkflowUpdateFailedError) -> ApplicationError:
    cause = error.cause
    kind = cause.type if isinstance(cause, ApplicationError) else type(cause).__name__
    text = cause.message if isinstance(cause, ApplicationError) else str(cause)
    return ApplicationError(text, type=kind, non_retryable=kind not in _PASSING)


def _pause_after(attempt: int) -> timedelta:
    return timedelta(seconds=min(_LONGEST_PAUSE, _FIRST_PAUSE * _PAUSE_GROWTH ** min(attempt, 50)))
