"""Runs from end to end: what was asked is sent, and the reply becomes the caller's result."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from temporalio.service import RPCError

from rojak.client.conversations import ConversationReader
from rojak.client.errors import means_not_found, no_session, run_failure
from rojak.client.events import Done, Event, WaitingForApproval
from rojak.client.gateway import SessionGateway
from rojak.client.requests import RunRequest
from rojak.client.responses import RunResponse
from rojak.client.scheduled_runs import await_scheduled_turn, is_scheduled_turn
from rojak.client.streaming import EventDeriver, follow, read_progress
from rojak.client.tasks import check_has_agent
from rojak.session.reply import Reply
from rojak.session.task import Task
from rojak.types.errors import ToolCallNotPendingError
from rojak.types.session import OrchestratorResponse, ResumeRequest, ResumeResponse, SessionType
from rojak.workflows import contracts


@dataclass(frozen=True)
class CompletedRun:
    """A response with the reply that it was made from."""

    response: RunResponse
    reply: Reply


class SessionRuns:
    """Runs of sessions on one task queue."""

    def __init__(self, gateway: SessionGateway, conversations: ConversationReader) -> None:
        self._gateway = gateway
        self._conversations = conversations

    async def do(self, request: RunRequest) -> CompletedRun:
        """Do what is asked for and wait for what comes of it."""
        if isinstance(request.work, Task):
            return await self.run_task(request.session_id, request.session_type, request.work)
        return await self.resume(request.session_id, request.work)

    async def begin_events(self, request: RunRequest) -> tuple[EventDeriver, str]:
        """What derives the events of what is asked for, and the id of the task that it is about.

        Raises:
            ToolCallNotPendingError: it is a decision on a call that waits for none.
        """
        if isinstance(request.work, Task):
            return EventDeriver(request.work.id), request.work.id
        task_id = (await self._find_approval(request.session_id, request.work.tool_id)).task_id
        deriver = EventDeriver(task_id)
        before = await read_progress(self._gateway, request.session_id, task_id, 0)
        if before is not None:
            deriver.skip(before)
        return deriver, task_id

    async def _find_approval(self, session_id: str, tool_id: str) -> ResumeRequest:
        pending: list[ResumeRequest] = await self._gateway.query(
            session_id, contracts.QUERY_APPROVALS, [], list[ResumeRequest]
        )
        for request in pending:
            if request.tool_id == tool_id:
                return request
        raise ToolCallNotPendingError(
            f"tool call {tool_id!r} waits for no approval: it is unknown or already resolved."
            f" Waiting now: {', '.join(r.tool_id for r in pending) or 'none'}"
        )

    async def run_task(self, session_id: str, session_type: SessionType, task: Task) -> CompletedRun:
        """Send a task and wait for what comes of it."""
        if session_type == "stateless":
            check_has_agent(task)
        if session_type == "persistent":
            reply = await self._gateway.ask(session_id, task)
        else:
            handle = await self._gateway.start_stateless(session_id, task)
            reply = await self._gateway.await_stateless(session_id, handle, task)
        return await self._complete(session_id, reply, task)

    async def resume(self, session_id: str, response: ResumeResponse) -> CompletedRun:
        """Send a human's decision and wait for what comes of the turn."""
        return await self._complete(session_id, await self._gateway.resume(session_id, response))

    async def get_result(
        self, session_id: str, task_id: str | None, output_type: Any = None
    ) -> OrchestratorResponse | ResumeRequest:
        """The result of a task, awaited if it is in progress."""
        try:
            description = await self._gateway.handle(session_id).describe()
        except RPCError as error:
            if means_not_found(error):
                raise no_session(session_id) from None
            raise
        if description.close_time is not None:
            # How a run ended is in its history; no worker is needed to read it.
            reply = await self._gateway.read_end(session_id, task_id or "")
        elif is_scheduled_turn(description):
            reply = await await_scheduled_turn(self._gateway, description)
        else:
            asked: Reply | None = await self._gateway.query(session_id, contracts.QUERY_REPLY, [task_id], Reply)
            reply = asked or await self._gateway.await_reply(session_id, task_id or "")
        return await self._result_of(session_id, reply, None, output_type, wanted=task_id)

    async def follow(
        self, session_id: str, deriver: EventDeriver, task_id: str, over: Awaitable[CompletedRun]
    ) -> AsyncGenerator[Event, None]:
        """Events of a run that ``over`` waits for."""
        future = asyncio.ensure_future(over)
        try:
            async with aclosing(follow(self._gateway, session_id, task_id, deriver, future)) as events:
                async for event in events:
                    yield event
            completed = await future
            response, reply = completed.response, completed.reply
            if isinstance(response.result, ResumeRequest):
                last = await read_progress(self._gateway, session_id, task_id, deriver.next_index)
                if last is not None:
                    for event in deriver.start(last.agent_name, last.turn, last.first):
                        yield event
                    for event in deriver.take_messages(last.start, last.messages, last.handoffs, last.retrievals):
                        yield event
                yield WaitingForApproval(requests=reply.interrupts)
            else:
                for event in deriver.start(reply.agent.name if reply.agent else None, 0, reply.first):
                    yield event
                for event in deriver.take_messages(reply.first, reply.messages, reply.handoffs, reply.retrievals):
                    yield event
                yield Done(task_id=reply.task_id, result=response.result)
        finally:
            future.cancel()

    async def _complete(self, session_id: str, reply: Reply, task: Task | None = None) -> CompletedRun:
        response = RunResponse(
            id=session_id,
            result=await self._result_of(session_id, reply, task),
            task_id=reply.task_id,
            workflow_handle=self._gateway.handle(session_id),
        )
        return CompletedRun(response, reply)

    async def _result_of(
        self, session_id: str, reply: Reply, task: Task | None, output_type: Any = None, wanted: str | None = None
    ) -> OrchestratorResponse | ResumeRequest:
        if reply.kind == "failed":
            raise run_failure(reply.error_type or "Error", reply.reason or "", reply.task_id)
        if reply.kind == "interrupted":
            return reply.interrupts[0]
        if reply.session_type == "stateless":
            return await self._conversations.complete_stateless(session_id, reply, task, output_type, wanted)
        return await self._conversations.complete_persistent(session_id, reply, task, output_type)
