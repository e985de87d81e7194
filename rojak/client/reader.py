"""What a client reads of sessions: nothing here tells them anything."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowQueryFailedError
from temporalio.service import RPCError

from rojak.client.checks import check_id
from rojak.client.errors import (
    means_no_answer,
    means_not_found,
    no_session,
    no_worker,
    translate_end,
    translate_refusal,
)
from rojak.client.reconnect import SERVER_PATIENCE, reconnecting
from rojak.session.reply import Reply
from rojak.types.activities import QUERY_PATIENCE


class SessionReader:
    """Reads sessions, on whatever task queue they are."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def handle(self, session_id: str, run_id: str | None = None) -> WorkflowHandle[Any, Reply]:
        """A handle to the session's workflow."""
        check_id("id", session_id)
        return self.client.get_workflow_handle(session_id, run_id=run_id, result_type=Reply)

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
