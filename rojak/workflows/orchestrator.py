"""A session as a Temporal workflow: a thin shell around `rojak.session`.

`run` owns every step. Update handlers check, put something into the state and wait; so there is no lock, and the state
is complete at every step boundary, where the session may roll over into a new run of the workflow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import NoReturn

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from rojak.session.approvals import apply_resume, check_resume, list_approvals, take_decision, waiting_calls
from rojak.session.core import apply, decide
from rojak.session.delegation import reply_to_caller
from rojak.session.intake import apply_config, check_config, check_task, enqueue_task
from rojak.session.mailbox import find_reply
from rojak.session.receipts import find_receipt, note_change
from rojak.session.reply import Reply
from rojak.session.shelf import Shelf
from rojak.session.state import SessionState
from rojak.session.steps import (
    ApprovalsExpired,
    AwaitApprovals,
    AwaitChildren,
    BeginTurn,
    CallModel,
    CallTools,
    CancelChildren,
    ChildrenCancelled,
    DeadlinePassed,
    FinishTurn,
    Idle,
    Outcome,
    Retrieve,
    StartChildren,
    Step,
    Summarise,
    TurnBegun,
    TurnFinished,
)
from rojak.session.turns import cancel_session
from rojak.types.errors import SessionNotFoundError
from rojak.types.messages import Usage
from rojak.workflows import contracts
from rojak.workflows.calls import SessionCalls
from rojak.workflows.children import SessionFamily
from rojak.workflows.clock import TimeIsUp, TurnClock
from rojak.workflows.contracts import Ask, CallerMessage, ChildReport, ConfigChange, Resume, SessionInput
from rojak.workflows.display import show_progress, tag_workflow
from rojak.workflows.metrics import SessionMeter, count_decision
from rojak.workflows.queries import SessionQueries, refusals, task_or_latest
from rojak.workflows.tracing import trace_context
from rojak.workflows.versions import CodeVersion

#: The server takes 2,000 updates in one run of a workflow; roll over well before.
MAX_UPDATES_PER_RUN = 1500
#: The server suggests to roll over at about 4,096 events. A worker that takes a session over replays its history, and
#: 1,200 events (about 110 turns) take less than a second.
ROLL_OVER_AFTER_EVENTS = 1200
#: The server lets a workflow have 10 updates in progress. Callers who wait for an answer hold so many of them at most;
#: more of them, and a human's decision could not get in that all of them wait for.
MAX_WAITING_CALLERS = 6
#: Parts of the input that hold for the next run too.
_KEPT_OF_INPUT = {"roll_over_after_events", "check_interval_in_seconds"}


@workflow.defn(name=contracts.WORKFLOW_NAME)
class OrchestratorWorkflow(SessionQueries):
    """One session. A persistent one serves until it is cancelled; a stateless one ends with its only task."""

    @workflow.init
    def __init__(self, start: SessionInput) -> None:
        self._start = start
        self._state = start.state or SessionState(type=start.type, settings=start.settings)
        if start.task is not None and start.state is None:
            enqueue_task(self._state, start.task)
        if start.caller is not None and start.state is None:
            self._state.caller = start.caller
        self._family = SessionFamily(self._state, start)
        self._shelf = Shelf()
        self._calls = SessionCalls(self._state)
        self._clock = TurnClock()
        self._meter = SessionMeter(self._state)
        self._version = CodeVersion(start)
        self._updates = 0
        self._waiting = 0
        self._steps = 0
        self._draining = False
        self._ending = False

    @workflow.run
    async def run(self, start: SessionInput) -> Reply | None:
        """Do step after step."""
        try:
            return await self._serve()
        except asyncio.CancelledError:
            self._ending = True
            self._meter.count_cancelled()
            cancel_session(self._state)
            await self._family.cancel(self._state.dropped)
            await workflow.wait_condition(workflow.all_handlers_finished)
            raise

    async def _serve(self) -> Reply | None:
        state = self._state
        while True:
            if state.caller is not None:
                await self._family.report()
                if self._family.is_orphaned:
                    await self._abandon()
            await self._family.ask_withheld()
            step = decide(state)
            if state.turn is None:
                self._clock.stop()
            show_progress(state, step)
            tag_workflow(state, step)
            if isinstance(step, Idle) and state.type == "stateless":
                return await self._finish_stateless()
            if self._must_move_on() or self._must_announce(step):
                await self._roll_over()
            if isinstance(step, Idle):
                await workflow.wait_condition(lambda: bool(state.queue) or self._must_move_on())
                continue
            outcome = await self._do_in_time(step)
            self._steps += 1
            if outcome is not None:
                self._meter.before()
                with self._shelving():
                    apply(state, outcome)
                self._meter.after(outcome)

    @contextmanager
    def _shelving(self) -> Iterator[None]:
        """Keep what is dropped meanwhile, for callers who come for it with a reply of before."""
        state = self._state
        base, messages = state.base, list(state.transcript)
        yield
        self._shelf.keep_dropped(base, messages, state)

    async def _do_in_time(self, step: Step) -> Outcome | None:
        """Do a step, as long as the turn has time."""
        turn = self._state.turn
        deadline = None if turn is None or isinstance(step, FinishTurn | CancelChildren) else turn.deadline
        try:
            return await self._clock.run(self._do(step), deadline)
        except TimeIsUp:
            return DeadlinePassed(now=workflow.time(), outcomes=self._calls.take_finished())

    async def _do(self, step: Step) -> Outcome | None:
        if self._state.settings.debug:
            workflow.logger.info("step %s", type(step).__name__)
        match step:
            case BeginTurn():
                return TurnBegun(now=workflow.time())
            case Summarise():
                return await self._calls.summarise(step)
            case Retrieve(query):
                return await self._calls.retrieve(query)
            case CallModel():
                return await self._calls.call_model()
            case CallTools(calls):
                return await self._calls.call_tools(calls)
            case AwaitApprovals(deadline):
                return await self._await_approvals(deadline)
            case StartChildren(calls):
                await self._family.start(calls)
                return None
            case AwaitChildren(deadline):
                return await self._family.wait(deadline, self._is_full)
            case CancelChildren(session_ids):
                await self._family.cancel(session_ids)
                return ChildrenCancelled(session_ids)
            case FinishTurn():
                return TurnFinished()
            case Idle():
                return None

    async def _await_approvals(self, deadline: float | None) -> ApprovalsExpired | None:
        """Wait for a decision on one of the calls; the resume itself changes the state."""
        state = self._state
        waiting = len(waiting_calls(state.turn))
        left = None if deadline is None else timedelta(seconds=max(0.0, deadline - workflow.time()))
        if state.caller is not None:
            left = self._family.check_interval if left is None else min(left, self._family.check_interval)
        try:
            await workflow.wait_condition(
                lambda: len(waiting_calls(state.turn)) != waiting or self._is_full() or self._family.is_orphaned,
                timeout=left,
                timeout_summary="approval",
            )
        except TimeoutError:
            if deadline is not None and workflow.time() >= deadline:
                return ApprovalsExpired(now=workflow.time())
            await self._family.check()
        return None

    def _is_full(self) -> bool:
        info = workflow.info()
        cap = self._start.roll_over_after_events or ROLL_OVER_AFTER_EVENTS
        return (
            info.is_continue_as_new_suggested()
            or self._updates >= MAX_UPDATES_PER_RUN
            # Not before something was done in this run: callers who only wait and ask again fill a history too.
            or (self._steps > 0 and info.get_current_history_length() >= cap)
        )

    def _must_move_on(self) -> bool:
        """Whether the session has to go on in a new run: this one is full, or is of an old version of the code."""
        if self._is_full():
            return True
        # A turn ends with the code that it began with, and a stateless run is one turn.
        is_between_turns = self._state.turn is None and self._state.type == "persistent"
        return is_between_turns and self._version.is_superseded(is_fresh=self._steps == 0)

    def _must_announce(self, step: Step) -> bool:
        """Whether a stateless run has come to its first interrupt.

        Its caller waits for the workflow's result, which costs no event, and notices when the run goes on as a new
        one. From then on it asks with updates, as callers of persistent sessions do.
        """
        state = self._state
        waits = isinstance(step, AwaitApprovals) or (isinstance(step, AwaitChildren) and bool(list_approvals(state)))
        return waits and state.type == "stateless" and self._start.state is None and state.caller is None

    async def _roll_over(self) -> None:
        """Go on in a new run of the workflow. Callers that wait are told to ask again, which finds their task there."""
        self._draining = True
        await self._family.let_go()
        await workflow.wait_condition(workflow.all_handlers_finished)
        fields = {name: getattr(self._start, name) for name in self._start.model_fields_set & _KEPT_OF_INPUT}
        more, versioning = self._version.for_next_run(in_turn=self._state.turn is not None)
        following = SessionInput(type=self._state.type, state=self._state, **fields, **more)
        workflow.continue_as_new(following, initial_versioning_behavior=versioning)

    async def _abandon(self) -> NoReturn:
        """End: nobody waits for the answer."""
        self._ending = True
        cancel_session(self._state)
        await self._family.cancel(self._state.dropped)
        await workflow.wait_condition(workflow.all_handlers_finished)
        raise ApplicationError("the session that asked for this has ended", type="CallerGoneError", non_retryable=True)

    async def _finish_stateless(self) -> Reply:
        state = self._state
        reply = find_reply(state, state.latest_task or "")
        if reply is None:
            raise ApplicationError("a stateless run needs a task", type="ConfigurationError", non_retryable=True)
        self._ending = True
        await workflow.wait_condition(workflow.all_handlers_finished)
        details: list[Usage] = []
        if state.caller is not None:
            reply = reply_to_caller(state, reply)
            details.append(reply.session_usage)
            await self._family.answer(reply)
        if reply.kind == "failed":
            raise ApplicationError(reply.reason or "", *details, type=reply.error_type, non_retryable=True)
        # Whoever reads the result has the run's input too.
        return reply if self._start.task is None else reply.for_sender_of(self._start.task)

    async def _await_reply(self, task_id: str) -> Reply:
        is_crowded = self._waiting >= MAX_WAITING_CALLERS and task_id not in self._state.mailbox
        if is_crowded and workflow.patched("queued-callers"):
            return Reply(kind="queued", task_id=task_id)
        self._waiting += 1
        try:
            await workflow.wait_condition(lambda: task_id in self._state.mailbox or self._draining)
        finally:
            self._waiting -= 1
        with refusals():
            reply = find_reply(self._state, task_id)
        return reply or Reply(kind="continued", task_id=task_id)

    def trace_context(self) -> str | None:
        """The ``traceparent`` of calls that are made now; a worker that traces passes it on to them."""
        return trace_context(self._state)

    def _check_open(self) -> None:
        if self._draining:
            raise ApplicationError(
                "the session is rolling over; ask again", type=contracts.SESSION_DRAINING, non_retryable=True
            )
        if self._ending:
            raise SessionNotFoundError("the session has ended")

    @workflow.update(name=contracts.UPDATE_ASK)
    async def ask(self, ask: Ask) -> Reply:
        """Queue a task, once for each id, and wait for its reply."""
        self._updates += 1
        enqueue_task(self._state, ask.task)
        return (await self._await_reply(ask.task.id)).for_sender_of(ask.task)

    @ask.validator
    def _check_ask(self, ask: Ask) -> None:
        with refusals():
            self._check_open()
            check_task(self._state, ask.task, ask.type)
            # Refuses what was answered and is no longer kept: its caller would wait for nothing.
            find_receipt(self._state, "task", ask.task.id)

    @workflow.update(name=contracts.UPDATE_RESUME)
    async def resume(self, resume: Resume) -> Reply:
        """Apply a human's decision, once for each id, and wait for what comes of the turn."""
        self._updates += 1
        asked = {pending.call.id: pending for pending in waiting_calls(self._state.turn)}
        with refusals():
            task_id = apply_resume(self._state, resume.response, resume.id)
        if (decided := asked.get(resume.response.tool_id)) is not None:
            count_decision(self._state, decided, resume.response.action)
        await self._pass_on()
        return await self._await_reply(task_id)

    @resume.validator
    def _check_resume(self, resume: Resume) -> None:
        with refusals():
            self._check_open()
            check_resume(self._state, resume.response, resume.id)
            find_receipt(self._state, "resume", resume.id)

    @workflow.signal(name=contracts.SIGNAL_REPORT)
    async def take_report(self, report: ChildReport) -> None:
        """A session that works for this one says what waits for approval there, or how it ended."""
        await self._family.hear(report)
        await self._pass_on()

    @workflow.signal(name=contracts.SIGNAL_FROM_CALLER)
    async def take_message(self, message: CallerMessage) -> None:
        """The session that this one works for says something."""
        caller = self._state.caller
        if caller is not None and message.detach:
            caller.detached = True
        if caller is not None and message.report_again:
            caller.reported = []
            await self._pass_on()
        if message.decision is not None:
            take_decision(self._state, message.decision)
            await self._pass_on()

    @workflow.signal(name=contracts.SIGNAL_NEW_VERSION)
    def look_at_version(self) -> None:
        """There is a new version of the code, which an idle session would not hear of."""
        self._version.look_again()

    async def _pass_on(self) -> None:
        """Decisions go down to the sessions that they are about, and what waits there goes up."""
        await self._family.deliver()
        await self._family.ask_withheld()
        await self._family.report()

    @workflow.update(name=contracts.UPDATE_AWAIT)
    async def await_reply(self, task_id: str) -> Reply:
        """Wait for the reply to a task that was sent before; to the latest one if the id is empty."""
        self._updates += 1
        return await self._await_reply(task_or_latest(self._state, task_id))

    @await_reply.validator
    def _check_await(self, task_id: str) -> None:
        with refusals():
            self._check_open()
            find_reply(self._state, task_or_latest(self._state, task_id))

    @workflow.update(name=contracts.UPDATE_CONFIG)
    def update_config(self, change: ConfigChange) -> None:
        """Change the settings, the conversation that is kept, or the context variables, once for each id."""
        self._updates += 1
        if not note_change(self._state, change.id):
            return
        with self._shelving():
            apply_config(self._state, change.settings, change.messages, change.context_variables)

    @update_config.validator
    def _check_config(self, change: ConfigChange) -> None:
        with refusals():
            self._check_open()
            if change.id not in self._state.changes:
                check_config(self._state, change.messages, change.context_variables)
