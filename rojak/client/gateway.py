"""The calls that a client makes to sessions: starting them, sending to them, asking again where they rolled over."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowContinuedAsNewError,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
)
from temporalio.common import TypedSearchAttributes, WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from rojak.client.checks import check_id
from rojak.client.errors import (
    means_ask_again,
    means_busy,
    means_draining,
    means_no_answer,
    means_not_found,
    no_session,
    no_worker,
    translate_end,
    translate_refusal,
)
from rojak.client.reconnect import SERVER_PATIENCE, reconnecting
from rojak.session.reply import Reply
from rojak.session.task import Task
from rojak.types.activities import QUERY_PATIENCE
from rojak.types.errors import RunCancelledError, SessionNotFoundError, SessionTypeError
from rojak.types.session import ResumeResponse, SessionType
from rojak.workflows import contracts
from rojak.workflows.contracts import Ask, ConfigChange, Resume, SessionInput

#: Seconds between two tries while a session rolls over; it doubles from the first to the last.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0
#: Seconds for which a new task waits for a session of the same id that is being cancelled.
_ENDING_PATIENCE = 10.0


class SessionGateway:
    """Speaks to sessions on one task queue."""

    def __init__(self, client: Client, task_queue: str, roll_over_after_events: int | None = None) -> None:
        self.client = client
        self.task_queue = task_queue
        self._roll_over_after_events = roll_over_after_events
        self._has_attributes: bool | None = None

    def handle(self, session_id: str, run_id: str | None = None) -> WorkflowHandle[Any, Reply]:
        """A handle to the session's workflow."""
        check_id("id", session_id)
        return self.client.get_workflow_handle(session_id, run_id=run_id, result_type=Reply)

    def session_input(self, session_type: SessionType, task: Task | None = None) -> SessionInput:
        """The input that starts a session."""
        fields: dict[str, Any] = {} if session_type == "stateless" else {"type": session_type}
        if task is not None:
            fields["task"] = task
        if self._roll_over_after_events is not None:
            fields["roll_over_after_events"] = self._roll_over_after_events
        return SessionInput(**fields)

    async def search_attributes(self, task: Task) -> TypedSearchAttributes:
        """The attributes that a session starts with; none where the namespace does not know them."""
        if self._has_attributes is None:
            try:
                known = await self.client.operator_service.list_search_attributes(
                    ListSearchAttributesRequest(namespace=self.client.namespace), timeout=timedelta(seconds=5)
                )
                keys = (contracts.AGENT_ATTRIBUTE, contracts.STATUS_ATTRIBUTE)
                self._has_attributes = all(key.name in known.custom_attributes for key in keys)
            except RPCError:
                self._has_attributes = False
        if not self._has_attributes:
            return TypedSearchAttributes.empty
        return TypedSearchAttributes(contracts.initial_attributes(task.agent.name if task.agent else None))

    async def start_stateless(self, session_id: str, task: Task) -> WorkflowHandle[Any, Reply]:
        """Start a run that does one task.

        Raises:
            SessionTypeError: the id is taken by something that runs.
        """
        attributes = await self.search_attributes(task)

        async def start() -> WorkflowHandle[Any, Reply]:
            return await self.client.start_workflow(
                contracts.WORKFLOW_NAME,
                self.session_input("stateless", task),
                id=session_id,
                task_queue=self.task_queue,
                result_type=Reply,
                search_attributes=attributes,
                request_eager_start=True,
            )

        try:
            return await reconnecting(start)
        except WorkflowAlreadyStartedError:
            raise SessionTypeError(
                f"session {session_id!r} is live, and a stateless run needs an id of its own; use another id,"
                " type='persistent' to go on with a persistent session, or get_result(id) to await a run in progress"
            ) from None

    async def await_stateless(self, session_id: str, handle: WorkflowHandle[Any, Reply], task: Task) -> Reply:
        """The reply of a stateless run, or its first request for approval.

        Raises:
            RunFailedError: the run failed.
            RunCancelledError: it was cancelled.
        """
        try:
            reply = await reconnecting(lambda: handle.result(follow_runs=False))
        except WorkflowContinuedAsNewError:
            return await self.await_reply(session_id, task.id)
        except WorkflowFailureError as error:
            raise translate_end(error, session_id, task.id) from error
        return reply.restored(task, "stateless")

    async def ask(self, session_id: str, task: Task) -> Reply:
        """Send a task to a persistent session, which begins if there is none, and wait for its reply."""
        ask = Ask(task=task)
        attributes = await self.search_attributes(task)

        async def with_start() -> Reply:
            start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
                contracts.WORKFLOW_NAME,
                self.session_input("persistent"),
                id=session_id,
                task_queue=self.task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                search_attributes=attributes,
            )
            try:
                reply: Reply = await self.client.execute_update_with_start_workflow(
                    contracts.UPDATE_ASK, ask, id=task.id, start_workflow_operation=start, result_type=Reply
                )
            except BaseException:
                # The SDK tells of the failure here too, and what nobody looks at is logged as overlooked.
                started = asyncio.ensure_future(start.workflow_handle())
                started.add_done_callback(lambda future: future.cancelled() or future.exception())
                raise
            return reply

        async def again() -> Reply:
            # The session had the task. If it is gone now it ended, and a new one would know nothing of it.
            return await self._update(session_id, contracts.UPDATE_ASK, ask, update_id=task.id)

        give_up = asyncio.get_running_loop().time() + _ENDING_PATIENCE
        while True:
            try:
                reply = await self._until_answered(session_id, task.id, with_start, again)
                return reply.restored(task, "persistent")
            except SessionNotFoundError:
                if asyncio.get_running_loop().time() > give_up:
                    raise
                await asyncio.sleep(_FIRST_PAUSE * 5)

    async def resume(self, session_id: str, response: ResumeResponse) -> Reply:
        """Send a human's decision and wait for what comes of the turn."""
        resume = Resume(id=uuid.uuid4().hex, response=response)

        async def send() -> Reply:
            return await self._update(session_id, contracts.UPDATE_RESUME, resume, update_id=resume.id)

        return await self._until_answered(session_id, "", send, send)

    async def await_reply(self, session_id: str, task_id: str) -> Reply:
        """Wait for the reply to a task that was sent before."""

        async def send() -> Reply:
            return await self._update(session_id, contracts.UPDATE_AWAIT, task_id)

        try:
            return await self._until_answered(session_id, task_id, send, send)
        except SessionNotFoundError:
            return await self.read_end(session_id, task_id)

    async def read_end(self, session_id: str, task_id: str) -> Reply:
        """The reply with which a stateless run ended, without what the run's input says.

        Raises:
            RunFailedError: it failed.
            RunCancelledError: the session was cancelled.
            SessionNotFoundError: there is no such session.
        """
        try:
            reply: Reply = await reconnecting(self.handle(session_id).result)
        except WorkflowFailureError as error:
            raise translate_end(error, session_id, task_id) from error
        except RPCError as error:
            if means_not_found(error):
                raise no_session(session_id) from None
            raise
        # Only these have a result.
        return reply.model_copy(update={"session_type": "stateless"})

    async def cancel(self, session_id: str) -> None:
        """Ask the session to end, and wait for a while until it has.

        Raises:
            SessionNotFoundError: there is no such session, or it has finished.
        """
        handle = self.handle(session_id)
        try:
            # The server takes the cancellation of what has finished, and says nothing.
            description = await reconnecting(handle.describe)
            if description.close_time is not None and description.status != WorkflowExecutionStatus.CONTINUED_AS_NEW:
                raise no_session(session_id)
            await reconnecting(handle.cancel)
            async with asyncio.timeout(_ENDING_PATIENCE / 2):
                await handle.result()
        except RPCError as error:
            if means_not_found(error):
                raise no_session(session_id) from None
            raise
        except (WorkflowFailureError, TimeoutError):
            # Ended as it was told to, or nobody is there to end it.
            return

    async def change_config(self, session_id: str, change: ConfigChange) -> None:
        """Change a session's settings or what it keeps."""

        async def send() -> Reply:
            await self._update(session_id, contracts.UPDATE_CONFIG, change)
            return Reply(kind="done", task_id="")

        await self._until_answered(session_id, "", send, send)

    async def query(self, session_id: str, name: str, args: Sequence[Any], result_type: Any) -> Any:
        """Ask a session something; again within seconds where the question was lost.

        Raises:
            SessionNotFoundError: there is no such session.
            NoWorkerError: the server is there, and no worker answered.
        """
        handle, patience = self.handle(session_id), iter(QUERY_PATIENCE)

        async def ask() -> Any:
            limit = timedelta(seconds=next(patience, QUERY_PATIENCE[-1]))
            return await handle.query(name, args=args, result_type=result_type, rpc_timeout=limit)

        try:
            return await reconnecting(ask, or_busy=True)
        except WorkflowQueryFailedError as error:
            raise translate_refusal(error) from error
        except RPCError as error:
            if means_not_found(error):
                raise no_session(session_id) from None
            if means_no_answer(error):
                # Raises what it is instead where the server is away too.
                queue = await self.queue_of(session_id)
                raise no_worker(queue, SERVER_PATIENCE) from error
            raise

    async def queue_of(self, session_id: str) -> str:
        """The task queue that a session's worker polls: sessions need not be where this client starts its own.

        Raises:
            SessionNotFoundError: there is no such session.
        """
        try:
            description = await self.handle(session_id).describe(rpc_timeout=timedelta(seconds=5))
            return description.task_queue
        except RPCError as error:
            if means_not_found(error):
                raise no_session(session_id) from None
            raise

    async def _update(self, session_id: str, name: str, argument: Any, update_id: str | None = None) -> Reply:
        reply: Reply = await self.handle(session_id).execute_update(
            name, argument, id=update_id, result_type=Reply if name != contracts.UPDATE_CONFIG else None
        )
        return reply

    async def _until_answered(self, session_id: str, task_id: str, first: Any, again: Any) -> Reply:
        """Make the call until a run of the session's workflow answers it: tasks and resumes are idempotent."""
        call, pause, was_taken = first, _FIRST_PAUSE, False
        while True:
            try:
                reply: Reply = await reconnecting(call)
                if reply.kind == "queued":
                    reply = await self._look_for_reply(session_id, task_id or reply.task_id)
                if reply.kind == "cancelled":
                    raise RunCancelledError(f"session {session_id!r} was cancelled")
                if reply.kind != "continued":
                    return reply
                call, was_taken = again, True
            except WorkflowUpdateFailedError as error:
                if not means_ask_again(error):
                    raise translate_refusal(error) from error
                if not means_draining(error):
                    call, was_taken = again, True
            except RPCError as error:
                if means_not_found(error):
                    if was_taken:
                        return await self.read_end(session_id, task_id)
                    raise no_session(session_id) from None
                if not means_busy(error):
                    raise
            # Callers that all wait for the same roll-over do not all come back at the same moment.
            await asyncio.sleep(pause * (0.5 + random.random()))
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _look_for_reply(self, session_id: str, task_id: str) -> Reply:
        """The reply to a task that the session has, looked for again and again: that holds none of its few updates.

        The server is asked whether anything happened; only then the session, which has its worker's time.
        """
        pause, seen = _FIRST_PAUSE, ("", 0)
        while True:
            description = await reconnecting(self.handle(session_id).describe)
            if description.close_time is not None:
                return await self.read_end(session_id, task_id)
            now = (description.run_id, description.history_length)
            if now != seen:
                reply: Reply | None = await self.query(session_id, contracts.QUERY_REPLY, [task_id], Reply)
                if reply is not None:
                    return reply
                seen = now
            await asyncio.sleep(pause * (0.5 + random.random()))
            pause = min(pause * 2, _LONGEST_PAUSE)
