"""Puts whole conversations together: replies bring only what is new, and callers want all of it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from rojak.client.gateway import SessionGateway
from rojak.client.outputs import read_output
from rojak.session.reply import Reply
from rojak.session.task import Task
from rojak.types.activities import WINDOW_QUERY
from rojak.types.errors import ResultNotFoundError
from rojak.types.messages import ConversationMessage, Usage
from rojak.types.session import OrchestratorResponse
from rojak.workflows.contracts import SessionInput

#: Sessions whose conversations a client remembers.
_REMEMBERED_SESSIONS = 64


@dataclass(slots=True)
class _Kept:
    base: int
    messages: list[ConversationMessage]


class ConversationReader:
    """Completes replies. Remembers the conversations it saw, so that a turn costs no query."""

    def __init__(self, gateway: SessionGateway) -> None:
        self._gateway = gateway
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def complete_persistent(
        self, session_id: str, reply: Reply, task: Task | None = None, output_type: Any = None
    ) -> OrchestratorResponse:
        """The response of a persistent session: what it keeps, what the task said, what was generated."""
        before = self._recall(session_id, reply.base, reply.begin) if task is not None else None
        if before is not None and task is not None:
            messages = [*before, *task.messages, *reply.messages]
        else:
            said = await self._gateway.query(
                session_id, WINDOW_QUERY, [reply.base, reply.first], list[ConversationMessage]
            )
            messages = [*said, *reply.messages]
        if reply.base + len(messages) == reply.end:
            self._kept[session_id] = _Kept(reply.base, messages)
            self._kept.move_to_end(session_id)
            while len(self._kept) > _REMEMBERED_SESSIONS:
                self._kept.popitem(last=False)
        missing = max(0, reply.end - reply.base - len(messages))
        return make_response(reply, list(messages), output_type, missing=missing)

    async def complete_stateless(
        self,
        session_id: str,
        reply: Reply,
        task: Task | None = None,
        output_type: Any = None,
        wanted: str | None = None,
    ) -> OrchestratorResponse:
        """The response of a stateless run: what the caller passed, and what was generated.

        A caller that did not start the run reads what was passed from the run's history; that needs no worker.

        Raises:
            ResultNotFoundError: the run's task is not the one that is ``wanted``.
        """
        if task is None:
            said, task = await self._read_input(session_id, reply)
            if task is not None:
                reply = reply.restored(task, "stateless")
            if wanted and wanted != reply.task_id:
                raise ResultNotFoundError(
                    f"the run {session_id!r} knows no task {wanted!r}; its only one is {reply.task_id!r}"
                )
        else:
            said = task.messages
        return make_response(reply, [*said, *reply.messages], output_type)

    def forget(self, session_id: str) -> None:
        """The session's conversation changed in another way than by a turn."""
        self._kept.pop(session_id, None)

    def _recall(self, session_id: str, base: int, begin: int) -> list[ConversationMessage] | None:
        if base == begin:
            return []
        kept = self._kept.get(session_id)
        if kept is None or kept.base > base or kept.base + len(kept.messages) != begin:
            return None
        return kept.messages[base - kept.base :]

    async def _read_input(self, session_id: str, reply: Reply) -> tuple[list[ConversationMessage], Task | None]:
        """What was said before the first generated message, and the task if the run began with it."""
        handle = self._gateway.handle(session_id)
        async for event in handle.fetch_history_events(page_size=1):
            payloads = event.workflow_execution_started_event_attributes.input.payloads
            converter = self._gateway.client.data_converter
            (start,) = await converter.decode(payloads, [SessionInput])
            if start.state is None:
                return list(start.task.messages), start.task
            offset = reply.first - start.state.base
            queued = [message for task in start.state.queue for message in task.messages]
            return [*start.state.transcript, *queued][:offset], None
        return [], None


def make_response(
    reply: Reply, messages: list[ConversationMessage], output_type: Any = None, *, missing: int = 0
) -> OrchestratorResponse:
    """The response with this conversation.

    Args:
        reply: of the session.
        messages: the conversation.
        output_type: what the answer is to be read as, where the caller says so.
        missing: older messages that the conversation lacks.

    Raises:
        OutputValidationError: the answer cannot be read as that.
    """
    usage = sum((message.usage for message in reply.messages if message.usage), Usage())
    return OrchestratorResponse(
        messages=messages,
        agent=reply.agent,
        context_variables=reply.context_variables,
        usage=usage,
        session_usage=reply.session_usage if reply.session_type == "persistent" else usage,
        limit=reply.limit,
        output=read_output(reply, output_type),
        retrievals=reply.retrievals,
        messages_missing=missing,
    )
