"""Sessions that work for a session: starting them, and the messages that go up and down.

A child is started as a child workflow, so that Temporal says at once how it ended, whatever the reason. Temporal says
so to the run of the workflow that started it alone. So a session that rolls over tells its children, and from then on
they send their answers as messages. No message is lost: a workflow cannot end, nor roll over, with one unread.

Whoever waits for the other end for long looks now and then whether it is still there (decision 0009).
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import exceptions, workflow
from temporalio.common import TypedSearchAttributes
from temporalio.exceptions import ApplicationError, CancelledError, ChildWorkflowError, FailureError

from rojak.session.approvals import list_approvals, take_report
from rojak.session.core import apply
from rojak.session.delegation import (
    detach_children,
    find_agent_tool,
    find_child,
    open_children,
    take_requests,
    take_withheld,
)
from rojak.session.family import Caller
from rojak.session.reply import Reply
from rojak.session.state import SessionState
from rojak.session.steps import ChildAnswered, ChildrenAssigned, ChildrenExpired
from rojak.session.task import Settings, Task
from rojak.session.turn import PendingCall
from rojak.session.turns import active_agent
from rojak.types.agent_tool import AgentTool
from rojak.types.messages import ConversationMessage, Usage
from rojak.workflows import contracts
from rojak.workflows.contracts import CallerMessage, ChildReport, SessionInput
from rojak.workflows.metrics import count_tool_call
from rojak.workflows.tracing import trace_context

#: How often one end looks whether the other one is still there, when nothing else would tell.
CHECK_INTERVAL = timedelta(hours=1)


class SessionFamily:
    """The children of one run of a session's workflow, and its caller."""

    def __init__(self, state: SessionState, start: SessionInput) -> None:
        self._state = state
        self._start = start
        self._started: dict[str, asyncio.Future[bool]] = {}
        self._watched: dict[str, asyncio.Task[None]] = {}
        # One message at a time, so that they arrive in the order in which they were sent.
        self._sending = asyncio.Lock()
        #: Counts what children did; a wait for them is over when it changes.
        self.changes = 0
        #: Nobody waits for this session's answer any more.
        self.is_orphaned = False

    async def start(self, calls: list[PendingCall]) -> None:
        """Start a session for each of the calls."""
        apply(self._state, ChildrenAssigned(workflow.info().workflow_id, workflow.time()))
        for pending in calls:
            if pending.delegation is not None and pending.outcome is None:
                child_id = pending.delegation.session_id
                self._started[child_id] = asyncio.Future()
                self._watched[child_id] = asyncio.create_task(self._watch(child_id, self._input_for(pending)))
        await self._until_started(list(self._started))

    def _input_for(self, pending: PendingCall) -> SessionInput:
        state, agent = self._state, active_agent(self._state)
        tool = find_agent_tool(agent, pending)
        if tool is None:
            raise RuntimeError("a call of an agent without its tool")
        fields: dict[str, Any] = {}
        if state.settings.debug:
            fields["settings"] = Settings(debug=True)
        if self._start.roll_over_after_events is not None:
            fields["roll_over_after_events"] = self._start.roll_over_after_events
        if self._start.check_interval_in_seconds is not None:
            fields["check_interval_in_seconds"] = self._start.check_interval_in_seconds
        depth = state.caller.depth if state.caller else 0
        return SessionInput(
            type="stateless",
            task=self._task_for(tool, pending),
            caller=Caller(session_id=workflow.info().workflow_id, depth=depth + 1),
            **fields,
        )

    def _task_for(self, tool: AgentTool, pending: PendingCall) -> Task:
        message = ConversationMessage(role="user", content=tool.read_message(pending.final_arguments))
        fields: dict[str, Any] = {"id": "task", "messages": [message], "agent": tool.agent}
        if tool.share_context and self._state.context_variables:
            fields["context_variables"] = self._state.context_variables
        if (trace := trace_context(self._state)) is not None:
            fields["trace"] = trace
        return Task(**fields)

    async def _watch(self, child_id: str, start: SessionInput) -> None:
        """Start a child and take in how it ends."""
        started = self._started[child_id]
        reply: Reply
        try:
            handle = await workflow.start_child_workflow(
                contracts.WORKFLOW_NAME,
                start,
                id=child_id,
                result_type=Reply,
                # An agent that is known by name has workers of its own; None means this session's queue.
                task_queue=start.task.agent.task_queue if start.task and start.task.agent else None,
                # Any other policy ends the children when this session rolls over.
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                search_attributes=self._attributes_for(start),
                static_summary=f"works for {workflow.info().workflow_id}",
            )
            started.set_result(True)
            reply = await handle
        except FailureError as error:
            if not started.done():
                started.set_result(False)
            reply = _describe_end(error)
        self._take_answer(child_id, reply)

    def _attributes_for(self, start: SessionInput) -> TypedSearchAttributes:
        """Attributes where this session has them: the namespace knows them then."""
        if workflow.info().typed_search_attributes.get(contracts.STATUS_ATTRIBUTE) is None or start.task is None:
            return TypedSearchAttributes.empty
        return TypedSearchAttributes(contracts.initial_attributes(start.task.agent.name if start.task.agent else None))

    async def _until_started(self, child_ids: list[str]) -> None:
        await workflow.wait_condition(lambda: all(self._started[child].done() for child in child_ids))

    def _take_answer(self, child_id: str, reply: Reply) -> None:
        caller, pending = self._state.agent, find_child(self._state, child_id)
        apply(self._state, ChildAnswered(child_id, reply))
        if caller is not None and pending is not None and pending.outcome is not None:
            count_tool_call(caller.name, pending, pending.outcome)
        self.changes += 1

    async def wait(self, deadline: float | None, stop: Any) -> ChildrenExpired | None:
        """Wait until a child did something, or until ``stop()``."""
        seen, detached = self.changes, self._detached()
        left = None if deadline is None else timedelta(seconds=max(0.0, deadline - workflow.time()))
        if detached or (self._state.caller is not None and list_approvals(self._state)):
            left = self.check_interval if left is None else min(left, self.check_interval)
        try:
            await workflow.wait_condition(
                lambda: self.changes != seen or self.is_orphaned or stop(), timeout=left, timeout_summary="sub-agents"
            )
        except TimeoutError:
            if deadline is not None and workflow.time() >= deadline:
                return ChildrenExpired(now=workflow.time())
            await self.check()
        return None

    @property
    def check_interval(self) -> timedelta:
        """How often to look whether the other end is still there."""
        seconds = self._start.check_interval_in_seconds
        return CHECK_INTERVAL if seconds is None else timedelta(seconds=seconds)

    async def check(self) -> None:
        """Look whether those who are waited for, and who wait, are still there."""
        for child_id in self._detached():
            if not await self._send(child_id, contracts.SIGNAL_FROM_CALLER, CallerMessage()):
                self._take_answer(child_id, _lost())
        if self._state.caller is not None and list_approvals(self._state):
            await self._report_all()

    def _detached(self) -> list[str]:
        pending = open_children(self._state.turn)
        return [p.delegation.session_id for p in pending if p.delegation is not None and p.delegation.detached]

    async def deliver(self) -> None:
        """Send decisions on to the children whose calls they are about."""
        while self._state.outbox:
            decision = self._state.outbox.pop(0)
            sent = await self._send(decision.session_id, contracts.SIGNAL_FROM_CALLER, CallerMessage(decision=decision))
            if not sent and self._is_detached(decision.session_id):
                # One that this run started is being watched: how it ended is on its way.
                self._take_answer(decision.session_id, _lost())

    async def ask_withheld(self) -> None:
        """Ask children again what waits for approval there, where there was no room for all of it and is now."""
        children = take_withheld(self._state)
        for child_id in children if children and workflow.patched("withheld-approvals") else ():
            # One that is gone does not answer; how it ended is noticed as ever.
            await self._send(child_id, contracts.SIGNAL_FROM_CALLER, CallerMessage(report_again=True))

    def _is_detached(self, child_id: str) -> bool:
        pending = find_child(self._state, child_id)
        return pending is not None and pending.delegation is not None and pending.delegation.detached

    async def hear(self, report: ChildReport) -> None:
        """Take in what a child says."""
        if report.reply is not None:
            self._take_answer(report.session_id, report.reply)
        elif take_requests(self._state, report.session_id, report.requests, report.seen):
            self.changes += 1
        elif report.session_id not in self._state.dropped:
            # It works for a session of this id that is no more.
            await self._cancel(report.session_id)

    async def report(self) -> None:
        """Tell the caller what waits for approval, where it does not know."""
        if self._state.caller is not None and (requests := take_report(self._state)) is not None:
            await self._tell(ChildReport(session_id=workflow.info().workflow_id, requests=requests))

    async def _report_all(self) -> None:
        report = ChildReport(session_id=workflow.info().workflow_id, requests=list_approvals(self._state))
        await self._tell(report)

    async def answer(self, reply: Reply) -> None:
        """Tell the caller the answer, if it went on in another run and would not hear of it."""
        caller = self._state.caller
        if caller is not None and caller.detached:
            await self._tell(ChildReport(session_id=workflow.info().workflow_id, reply=reply))

    async def _tell(self, report: ChildReport) -> None:
        caller = self._state.caller
        if caller is None:
            return
        report.seen = caller.seen
        if not await self._send(caller.session_id, contracts.SIGNAL_REPORT, report):
            self.is_orphaned = True

    async def _send(self, session_id: str, name: str, message: Any) -> bool:
        """Whether there is such a session and it got the message."""
        async with self._sending:
            try:
                await workflow.get_external_workflow_handle(session_id).signal(name, message)
            except ApplicationError as error:
                # Anything else says that it is there, but has too much to read.
                return error.type != "ExternalWorkflowExecutionNotFound"
        return True

    async def cancel(self, session_ids: list[str]) -> None:
        """End children. One that was just asked for has to begin first: it could not be told otherwise."""
        await self._until_started([child for child in session_ids if child in self._started])
        await asyncio.gather(*(self._cancel(child) for child in session_ids))

    async def _cancel(self, session_id: str) -> None:
        try:
            await workflow.get_external_workflow_handle(session_id).cancel()
        except FailureError:
            # It has ended.
            return

    async def let_go(self) -> None:
        """Tell the children of this run that the next one is not told how they end."""
        for pending in open_children(self._state.turn):
            child = pending.delegation
            if child is None or child.detached:
                continue
            if not await self._send(child.session_id, contracts.SIGNAL_FROM_CALLER, CallerMessage(detach=True)):
                await workflow.wait([self._watched[child.session_id]])
        detach_children(self._state)


def _describe_end(error: FailureError) -> Reply:
    """How a child ended that brought no answer."""
    cause = error.cause if isinstance(error, ChildWorkflowError) else error
    match cause:
        case CancelledError():
            return _failed("CancelledError", "it was cancelled")
        case exceptions.TerminatedError():
            return _failed("TerminatedError", "it was terminated")
        case exceptions.WorkflowAlreadyStartedError():
            return _failed("AlreadyStartedError", "another session of the same id is in progress; try again later")
        case ApplicationError():
            usage = next(
                (Usage.model_validate(detail) for detail in cause.details if isinstance(detail, dict)), Usage()
            )
            return _failed(cause.type or "ApplicationError", cause.message, usage)
        case _:
            return _failed(type(cause).__name__, "its session ended without an answer")


def _lost() -> Reply:
    return _failed("SessionLostError", "its session has ended without an answer")


def _failed(error_type: str, reason: str, usage: Usage | None = None) -> Reply:
    return Reply(kind="failed", task_id="task", error_type=error_type, reason=reason, session_usage=usage or Usage())
