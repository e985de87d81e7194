"""The calls that a client makes to sessions: starting them, sending to them, asking again where they rolled over."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable
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
)
from temporalio.common import TypedSearchAttributes, WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from rojak.client.answers import FIRST_PAUSE, LOOKS, Answers, Errand
from rojak.client.errors import means_not_found, no_session, translate_end
from rojak.client.reader import SessionReader
from rojak.client.reconnect import reconnecting
from rojak.session.reply import Reply
from rojak.session.task import Task
from rojak.types.errors import SessionNotFoundError, SessionTypeError
from rojak.types.session import ResumeResponse, SessionType
from rojak.workflows import contracts
from rojak.workflows.contracts import Ask, ConfigChange, Resume, SessionInput

#: Seconds for which a new task waits for a session of the same id that is being cancelled.
_ENDING_PATIENCE = 10.0


class SessionGateway(SessionReader):
    """Speaks to sessions on one task queue.

    Args:
        client: to Temporal.
        task_queue: of the sessions that it starts.
        roll_over_after_events: of those; None for the usual.
        looks: seconds without an answer after which it looks what became of what it sent, see `LOOKS`.
    """

    def __init__(
        self,
        client: Client,
        task_queue: str,
        roll_over_after_events: int | None = None,
        looks: Iterable[float] = LOOKS,
    ) -> None:
        super().__init__(client)
        self.task_queue = task_queue
        self._answers = Answers(self, looks)
        self._roll_over_after_events = roll_over_after_events
        self._has_attributes: bool | None = None

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

        async def with_start(update_id: str) -> Reply:
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
                    contracts.UPDATE_ASK, ask, id=update_id, start_workflow_operation=start, result_type=Reply
                )
            except BaseException:
                # The SDK tells of the failure here too, and what nobody looks at is logged as overlooked.
                started = asyncio.ensure_future(start.workflow_handle())
                started.add_done_callback(lambda future: future.cancelled() or future.exception())
                raise
            return reply

        async def again(update_id: str) -> Reply:
            # The session had the task. If it is gone now it ended, and a new one would know nothing of it.
            return await self._update(session_id, contracts.UPDATE_ASK, ask, update_id)

        errand = Errand(session_id, "task", task.id, with_start, again, update_id=task.id)
        give_up = asyncio.get_running_loop().time() + _ENDING_PATIENCE
        while True:
            try:
                reply = await self._answers.wait_for(errand)
                return reply.restored(task, "persistent")
            except SessionNotFoundError:
                if asyncio.get_running_loop().time() > give_up:
                    raise
                await asyncio.sleep(FIRST_PAUSE * 5)

    async def resume(self, session_id: str, response: ResumeResponse) -> Reply:
        """Send a human's decision and wait for what comes of the turn."""
        resume = Resume(id=uuid.uuid4().hex, response=response)

        async def send(update_id: str) -> Reply:
            return await self._update(session_id, contracts.UPDATE_RESUME, resume, update_id)

        errand = Errand(session_id, "resume", resume.id, send, send, update_id=resume.id)
        return await self._answers.wait_for(errand)

    async def await_reply(self, session_id: str, task_id: str) -> Reply:
        """Wait for the reply to a task that was sent before."""

        async def send(update_id: str) -> Reply:
            return await self._update(session_id, contracts.UPDATE_AWAIT, task_id, update_id)

        try:
            return await self._answers.wait_for(Errand(session_id, "task", task_id, send, send))
        except SessionNotFoundError:
            return await self.read_end(session_id, task_id)

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
        change = change.model_copy(update={"id": uuid.uuid4().hex})

        async def send(update_id: str) -> Reply:
            await self._update(session_id, contracts.UPDATE_CONFIG, change, update_id)
            return Reply(kind="done", task_id="")

        await self._answers.wait_for(Errand(session_id, "change", change.id, send, send, update_id=change.id))

    async def _update(self, session_id: str, name: str, argument: Any, update_id: str) -> Reply:
        reply: Reply = await self.handle(session_id).execute_update(
            name, argument, id=update_id, result_type=Reply if name != contracts.UPDATE_CONFIG else None
        )
        return reply
