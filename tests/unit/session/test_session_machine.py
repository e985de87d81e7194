"""Any interleaving of tasks, replies, approvals, failures and roll-overs keeps what a session promises.

The machine does what the workflow shell does: it asks `decide` what is next, answers with outcomes of its choosing, and
in between callers send tasks, decisions and changes. At any point the state may go through JSON, as it does when a
workflow rolls over. A model of its own, as simple as can be, says what has to come out.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rojak.session.approvals import apply_resume, check_resume, list_approvals
from rojak.session.core import apply, decide
from rojak.session.delegation import detach_children, open_children, take_requests
from rojak.session.intake import apply_config, check_config, check_task, enqueue_task
from rojak.session.limits import MAILBOX_BYTES, MAILBOX_REPLIES
from rojak.session.state import Reply, SessionState, Settings, Summary, Task
from rojak.session.steps import (
    ApprovalsExpired,
    AwaitApprovals,
    AwaitChildren,
    BeginTurn,
    CallModel,
    CallTools,
    CancelChildren,
    ChildAnswered,
    ChildrenAssigned,
    ChildrenCancelled,
    ChildrenExpired,
    DeadlinePassed,
    FinishTurn,
    Idle,
    ModelReplied,
    Retrieve,
    Retrieved,
    StartChildren,
    Summarise,
    Summarised,
    SummaryFailed,
    ToolsAnswered,
    TurnBegun,
    TurnFailed,
    TurnFinished,
)
from rojak.session.transcript import build_window, read_window
from rojak.session.turns import active_agent, cancel_session
from rojak.types import (
    Agent,
    AgentTool,
    Compaction,
    ConversationMessage,
    FunctionCall,
    Interrupt,
    ResumeRequest,
    ResumeResponse,
    Retriever,
    ToolCall,
    Usage,
)
from rojak.types.activities import OutputProblem, PatchOperation, RetrieveResult, ToolFailed, ToolReturned
from rojak.types.errors import RojakError
from rojak.types.tools import AnyTool


class PlainAgent(Agent):
    type: str = "plain-test"
    model: str = "m"


class SomeRetriever(Retriever):
    type: str = "some-test"


NAMES = ["free", "asked", "asked_later", "never"]
INTERRUPTS = [
    Interrupt("asked"),
    Interrupt("asked_later", timeout_in_seconds=10, on_timeout="approve"),
    Interrupt("never", timeout_in_seconds=20, on_timeout="fail"),
]
HELPER = PlainAgent(name="helper")
TOOLS: list[AnyTool] = [
    AgentTool(HELPER, "Helps"),
    AgentTool(HELPER, "Helps, in time", name="hasty", timeout_in_seconds=15),
    AgentTool(HELPER, "Helps, when asked", name="asked_helper"),
]
TOOL_NAMES = [tool.name for tool in TOOLS]
INTERRUPTS.append(Interrupt("asked_helper"))
AGENTS = [
    PlainAgent(name="parallel", functions=NAMES, interrupts=INTERRUPTS, tools=TOOLS),
    PlainAgent(name="sequential", functions=NAMES, interrupts=INTERRUPTS, tools=TOOLS, parallel_tool_calls=False),
    PlainAgent(name="reader", functions=["free"], retriever=SomeRetriever()),
]
KEYS = st.sampled_from(["a", "b", "c"])
PATCHES = st.lists(
    st.one_of(
        st.builds(lambda key, value: PatchOperation(path=[key], value=value), KEYS, st.integers(0, 9)),
        st.builds(lambda key: PatchOperation(path=[key], op="delete"), KEYS),
    ),
    max_size=2,
)
OUTCOMES = st.one_of(
    st.builds(
        lambda patch, agent: ToolReturned(output="ok", patch=patch, agent=agent),
        PATCHES,
        st.one_of(st.none(), st.sampled_from(AGENTS)),
    ),
    st.builds(lambda: ToolFailed(error_type="ValueError", message="no")),
)


class SessionMachine(RuleBasedStateMachine):
    """A session with callers, a model and tools."""

    def __init__(self) -> None:
        super().__init__()
        self.state = SessionState()
        self.now = 1000.0
        self.numbers = iter(range(10**6))
        self.tasks: dict[str, Task] = {}
        self.open: set[str] = set()
        self.answered: dict[str, str] = {}
        self.begun: list[str] = []
        self.before: dict[str, Any] = {}
        self.context: dict[str, Any] = {}
        self.resumes: list[tuple[ResumeResponse, str]] = []
        self.last_end = 0
        self.input_tokens = 0
        self.children: set[str] = set()
        self.ended: set[str] = set()

    @initialize(
        settings=st.builds(
            Settings,
            history_size=st.integers(0, 6),
            max_turns=st.one_of(st.none(), st.integers(0, 6)),
            max_tool_calls=st.one_of(st.none(), st.integers(0, 4)),
            max_tokens_total=st.one_of(st.none(), st.integers(0, 9)),
            run_timeout=st.one_of(st.none(), st.just(30.0)),
            compaction=st.one_of(
                st.none(),
                st.builds(Compaction, trigger_messages=st.integers(4, 8), keep_last=st.integers(0, 3)),
                st.builds(Compaction, trigger_tokens=st.just(2), keep_last=st.integers(0, 9)),
            ),
        )
    )
    def begin(self, settings: Settings) -> None:
        apply_config(self.state, settings)

    # What callers do

    @rule(agent=st.sampled_from([*AGENTS, None]), context=st.dictionaries(KEYS, st.integers(0, 9), max_size=2))
    def send_task(self, agent: Agent | None, context: dict[str, int]) -> None:
        message = ConversationMessage(role="user", content="hi")
        fields: dict[str, Any] = {"agent": agent} if agent else {}
        task = Task(id=f"t{next(self.numbers)}", messages=[message], context_variables=context, **fields)
        if self.refused(lambda: check_task(self.state, task, "persistent")):
            return
        enqueue_task(self.state, task)
        self.tasks[task.id] = task
        self.open.add(task.id)

    @precondition(lambda self: self.open or self.answered)
    @rule(data=st.data())
    def send_a_task_again(self, data: st.DataObject) -> None:
        task_id = data.draw(st.sampled_from(sorted([*self.open, *self.answered])))
        task = Task(id=task_id, messages=[ConversationMessage(role="user", content="again")], agent=AGENTS[0])
        before = self.dump()
        check_task(self.state, task, "persistent")
        enqueue_task(self.state, task)
        assert self.dump() == before

    @rule(kind=st.sampled_from(["persistent", "stateless"]))
    def send_to_the_wrong_type(self, kind: Any) -> None:
        task = Task(id="wrong", messages=[], agent=AGENTS[0])
        if kind != self.state.type:
            assert self.refused(lambda: check_task(self.state, task, kind))

    @precondition(lambda self: list_approvals(self.state))
    @rule(data=st.data(), action=st.sampled_from(["approve", "reject"]), changed=st.booleans())
    def decide_on_a_call(self, data: st.DataObject, action: Any, changed: bool) -> None:
        request = data.draw(st.sampled_from(list_approvals(self.state)))
        response = ResumeResponse(
            action=action, tool_id=request.tool_id, tool_arguments='{"x": 1}' if changed else None
        )
        resume_id = f"r{next(self.numbers)}"
        check_resume(self.state, response, resume_id)
        assert apply_resume(self.state, response, resume_id) == request.task_id
        self.resumes.append((response, resume_id))
        if "/" in request.tool_id:
            decision = self.state.outbox.pop()
            assert decision.response.action == action
            assert request.tool_id.endswith(f"/{decision.response.tool_id}")
            assert request.tool_id not in [other.tool_id for other in list_approvals(self.state)]
        elif changed and action == "approve" and self.state.turn:
            (pending,) = [p for p in self.state.turn.calls if p.call.id == request.tool_id] or [None]
            assert pending is None or pending.arguments == '{"x": 1}'

    @precondition(lambda self: self.resumes)
    @rule(data=st.data())
    def send_a_decision_again(self, data: st.DataObject) -> None:
        response, resume_id = data.draw(st.sampled_from(self.resumes))
        before = self.dump()
        check_resume(self.state, response, resume_id)
        apply_resume(self.state, response, resume_id)
        assert self.dump() == before
        assert self.refused(lambda: check_resume(self.state, response, "a new decision on a resolved call"))

    @rule()
    def decide_on_an_unknown_call(self) -> None:
        response = ResumeResponse(action="approve", tool_id="unknown")
        assert self.refused(lambda: check_resume(self.state, response, "r"))

    @rule(context=st.dictionaries(KEYS, st.integers(0, 9), max_size=2), size=st.integers(0, 6))
    def change_settings(self, context: dict[str, Any], size: int) -> None:
        check_config(self.state, None, context)
        apply_config(self.state, Settings(history_size=size), None, context)
        self.context = dict(context)
        if "context" in self.before:
            self.before["context"] = dict(context)

    @rule()
    def replace_messages(self) -> None:
        messages = [ConversationMessage(role="user", content="replaced")]
        if self.refused(lambda: check_config(self.state, messages, None)):
            assert self.state.turn is not None
            return
        apply_config(self.state, Settings(), messages)

    @rule()
    def roll_over(self) -> None:
        text = self.state.model_dump_json(exclude_unset=True)
        revived = SessionState.model_validate_json(text)
        assert revived == self.state
        assert revived.model_dump_json(exclude_unset=True) == text
        self.state = revived

    # What the shell does

    @precondition(lambda self: isinstance(decide(self.state), Idle))
    @rule(data=st.data(), turns=st.integers(1, 2))
    def whole_turns(self, data: st.DataObject, turns: int) -> None:
        """Turns that nothing happens to; without them few conversations get long."""
        for _ in range(turns):
            self.send_task(data.draw(st.sampled_from(AGENTS[:2])), {})
            while not isinstance(step := decide(self.state), Idle | Summarise):
                match step:
                    case BeginTurn():
                        self.begin_turn()
                        calls = [["free"]] * data.draw(st.integers(0, 2))
                    case CallModel():
                        self.model_replies(calls.pop() if calls else [], fits=True)
                    case CallTools():
                        self.tools_answer(data)
                    case Retrieve():
                        self.retrieve("known")
                    case FinishTurn():
                        self.finish_turn()
                        self.replies_name_their_messages()
                    case _:
                        raise AssertionError(step)
            if isinstance(decide(self.state), Summarise):
                return

    @precondition(lambda self: isinstance(decide(self.state), BeginTurn))
    @rule()
    def begin_turn(self) -> None:
        task = self.state.queue[0]
        self.begun.append(task.id)
        before_agent = self.state.agent
        summary, before, end = self.state.summary, list(self.state.transcript), self.state.end
        is_current = summary is not None and summary.start == self.state.base
        apply(self.state, TurnBegun(self.now))
        assert self.state.summary is None
        if summary is not None and is_current:
            # No index names two messages.
            assert self.state.base == end
            assert self.state.transcript[0].text.endswith("in short")
            kept = before[summary.end - summary.start :]
            assert self.state.transcript[1 : 1 + len(kept)] == kept
        if self.state.turn is None:
            # There was no agent to begin with.
            assert task.agent is None
            assert before_agent is None
            self.close(task.id, "failed")
            return
        self.before = {
            "transcript": self.state.transcript[: self.state.turn.begin - self.state.base],
            "agent": before_agent,
            "context": self.context,
        }
        self.context = {**self.context, **task.context_variables}

    @precondition(lambda self: isinstance(decide(self.state), Summarise))
    @rule(fails=st.booleans(), stale=st.booleans())
    def summarise(self, fails: bool, stale: bool) -> None:
        step = decide(self.state)
        assert isinstance(step, Summarise)
        before, end = list(self.state.transcript), self.state.end
        assert step.start == self.state.base
        if fails:
            apply(self.state, SummaryFailed("SomeError"))
            assert self.state.transcript == before
        else:
            if stale:
                apply_config(self.state, Settings(), [ConversationMessage(role="user", content="replaced")])
                before, end = list(self.state.transcript), self.state.end
            self.input_tokens += 1
            summary = Summary(start=step.start, end=step.end, text="in short", usage=Usage(input_tokens=1))
            apply(self.state, Summarised(summary))
            assert (self.state.summary is None) == stale
            assert (self.state.transcript, self.state.end) == (before, end)
        assert not isinstance(decide(self.state), Summarise)

    @precondition(lambda self: isinstance(decide(self.state), Retrieve))
    @rule(text=st.sampled_from([None, "known"]))
    def retrieve(self, text: str | None) -> None:
        apply(self.state, Retrieved(RetrieveResult(text=text)))

    @precondition(lambda self: isinstance(decide(self.state), StartChildren))
    @rule()
    def children_start(self) -> None:
        step = decide(self.state)
        assert isinstance(step, StartChildren)
        assert len(step.calls) == 1 or active_agent(self.state).parallel_tool_calls
        apply(self.state, ChildrenAssigned("s", self.now))
        for pending in step.calls:
            if pending.arguments is not None:
                # A human changed them, and there is no message in these.
                assert pending.delegation is None
                continue
            assert pending.delegation is not None
            assert pending.delegation.session_id not in self.children
            self.children.add(pending.delegation.session_id)

    @precondition(lambda self: open_children(self.state.turn))
    @rule(data=st.data(), ids=st.sets(st.sampled_from(["x", "y", "z"])), up_to_date=st.booleans())
    def a_child_asks(self, data: st.DataObject, ids: set[str], up_to_date: bool) -> None:
        pending = data.draw(st.sampled_from(open_children(self.state.turn)))
        child = pending.delegation
        assert child is not None
        decided = set() if up_to_date else set(child.unseen)
        requests = [
            ResumeRequest(tool_id=tool_id, tool_name="t", tool_arguments="{}", task_id="task", question="?")
            for tool_id in sorted(ids)
        ]
        assert take_requests(self.state, child.session_id, requests, seen=child.decisions if up_to_date else 0)
        prefix = f"{pending.call.id}/"
        listed = {r.tool_id.removeprefix(prefix) for r in list_approvals(self.state) if r.tool_id.startswith(prefix)}
        # What was decided and is on its way is not asked again.
        assert listed == ids - decided
        assert self.state.turn is not None
        reply = self.state.mailbox.get(self.state.turn.task_id)
        assert (reply.interrupts if reply else []) == list_approvals(self.state)

    @precondition(lambda self: self.children)
    @rule(data=st.data(), kind=st.sampled_from(["done", "failed"]))
    def a_child_ends(self, data: st.DataObject, kind: Any) -> None:
        """Whatever the session does now, and more than once: its end is told, and noticed, in two ways."""
        child = data.draw(st.sampled_from(sorted(self.children)))
        waited_for = child in [p.delegation.session_id for p in open_children(self.state.turn) if p.delegation]
        message = ConversationMessage(role="assistant", content="did it")
        before = self.dump()
        reply = Reply(kind=kind, task_id="task", messages=[message], session_usage=Usage(input_tokens=2))
        apply(self.state, ChildAnswered(child, reply))
        self.ended.add(child)
        if waited_for:
            self.input_tokens += 2
        else:
            assert self.dump() == before

    @precondition(lambda self: open_children(self.state.turn))
    @rule()
    def children_are_let_go(self) -> None:
        detach_children(self.state)
        self.roll_over()

    @precondition(lambda self: isinstance(decide(self.state), AwaitChildren))
    @rule(seconds=st.sampled_from([5.0, 15.0]))
    def time_passes_for_children(self, seconds: float) -> None:
        step = decide(self.state)
        assert isinstance(step, AwaitChildren)
        self.now += seconds
        if step.deadline is not None and step.deadline <= self.now:
            apply(self.state, ChildrenExpired(self.now))
            assert isinstance(decide(self.state), CancelChildren)

    @precondition(lambda self: isinstance(decide(self.state), CancelChildren))
    @rule()
    def children_are_cancelled(self) -> None:
        step = decide(self.state)
        assert isinstance(step, CancelChildren)
        assert set(step.session_ids) <= self.children
        apply(self.state, ChildrenCancelled(step.session_ids))
        self.ended.update(step.session_ids)
        assert not isinstance(decide(self.state), CancelChildren)

    @precondition(lambda self: isinstance(decide(self.state), CallModel))
    @rule(names=st.lists(st.sampled_from([*NAMES, *TOOL_NAMES, "missing"]), max_size=3), fits=st.booleans())
    def model_replies(self, names: list[str], fits: bool) -> None:
        window = build_window(self.state)
        assert (window.start, window.end) == (self.state.base, self.state.end)
        calls = [
            ToolCall(
                id=f"c{next(self.numbers)}",
                function=FunctionCall(name=name, arguments='{"message": "do"}' if name in TOOL_NAMES else "{}"),
            )
            for name in names
        ]
        fields: dict[str, Any] = {"tool_calls": calls} if calls else {"content": "answer"}
        message = ConversationMessage(
            role="assistant", id=f"m{next(self.numbers)}", usage=Usage(input_tokens=3), **fields
        )
        self.input_tokens += 3
        turn = self.state.turn
        assert turn is not None
        assert turn.max_turns is None or self.state.end - turn.first < turn.max_turns
        assert turn.max_tokens_total is None or turn.usage.total_tokens < turn.max_tokens_total
        problem = None if calls or fits else OutputProblem(rule="json", message="It is no JSON.")
        apply(self.state, ModelReplied(message, self.now, problem=problem))
        if problem is not None:
            if self.state.turn is None:
                assert turn.misfits == 3
                self.check_taken_back(turn.task_id)
            else:
                assert turn.misfits < 3
                assert self.state.transcript[-1].role == "user"
            return
        assert turn.max_tool_calls is None or turn.tool_calls <= turn.max_tool_calls
        if turn.limit is not None:
            assert calls, "an answer is an answer, whatever it cost"
            assert turn.limit.kind in ("max_tool_calls", "max_tokens_total")

    @precondition(lambda self: isinstance(decide(self.state), CallTools))
    @rule(data=st.data())
    def tools_answer(self, data: st.DataObject) -> None:
        step = decide(self.state)
        assert isinstance(step, CallTools)
        assert self.state.turn is not None
        assert self.state.agent is not None
        # None where a human rejected the only one.
        assert len(step.calls) <= 1 or self.state.agent.parallel_tool_calls
        outcomes = {pending.call.id: data.draw(OUTCOMES) for pending in step.calls}
        last_agent = self.state.turn.next_agent
        for pending in step.calls:
            outcome = outcomes[pending.call.id]
            if isinstance(outcome, ToolReturned):
                for operation in outcome.patch:
                    if operation.op == "delete":
                        self.context.pop(operation.path[0], None)
                    else:
                        self.context[operation.path[0]] = operation.value
                last_agent = outcome.agent or last_agent
        apply(self.state, ToolsAnswered(outcomes))
        if not self.state.turn.calls and last_agent is not None:
            assert self.state.agent == last_agent

    @precondition(lambda self: isinstance(decide(self.state), AwaitApprovals))
    @rule(seconds=st.sampled_from([5.0, 15.0, 25.0]))
    def time_passes(self, seconds: float) -> None:
        step = decide(self.state)
        assert isinstance(step, AwaitApprovals)
        self.now += seconds
        if step.deadline is not None and step.deadline <= self.now:
            turn = self.state.turn
            assert turn is not None
            late = [p for p in turn.calls if p.waiting and p.expires_at is not None and p.expires_at <= self.now]
            apply(self.state, ApprovalsExpired(self.now))
            if self.state.turn is None:
                assert any(pending.on_timeout == "fail" for pending in late)
                self.check_taken_back(turn.task_id)

    @precondition(lambda self: self.state.turn is not None and self.state.turn.deadline is not None)
    @rule(data=st.data())
    def time_is_up(self, data: st.DataObject) -> None:
        turn = self.state.turn
        assert turn is not None
        assert turn.deadline is not None
        step = decide(self.state)
        if isinstance(step, FinishTurn | CancelChildren):
            return
        self.now = max(self.now, turn.deadline)
        calls = step.calls if isinstance(step, CallTools) else []
        finished = {p.call.id: data.draw(OUTCOMES) for p in calls if data.draw(st.booleans())}
        for pending in calls:
            outcome = finished.get(pending.call.id)
            for operation in outcome.patch if isinstance(outcome, ToolReturned) else []:
                if operation.op == "delete":
                    self.context.pop(operation.path[0], None)
                else:
                    self.context[operation.path[0]] = operation.value
        apply(self.state, DeadlinePassed(self.now, finished))
        assert not turn.calls
        assert turn.limit is not None
        assert turn.limit.kind == "run_timeout"
        assert turn.limit.used >= turn.limit.limit
        assert isinstance(decide(self.state), FinishTurn | CancelChildren)

    @precondition(lambda self: self.state.turn is not None)
    @rule()
    def fail(self) -> None:
        assert self.state.turn is not None
        task_id = self.state.turn.task_id
        apply(self.state, TurnFailed("SomeError", "some reason"))
        self.check_taken_back(task_id)

    @precondition(lambda self: isinstance(decide(self.state), FinishTurn))
    @rule()
    def finish_turn(self) -> None:
        turn = self.state.turn
        assert turn is not None
        apply(self.state, TurnFinished())
        reply = self.state.mailbox[turn.task_id]
        assert reply.messages == self.state.transcript[turn.first - self.state.base :]
        assert reply.context_variables == self.context
        answered = bool(reply.messages) and reply.messages[-1].role == "assistant"
        assert (reply.limit is None) == answered
        for sender_has in (self.tasks[turn.task_id], Task(id=turn.task_id, messages=[], agent=AGENTS[0])):
            sent = reply.for_sender_of(sender_has).model_dump_json(exclude_unset=True)
            assert Reply.model_validate_json(sent).restored(sender_has, self.state.type) == reply
        self.before = {}
        self.close(turn.task_id, "done")

    @precondition(lambda self: self.open)
    @rule()
    def cancel(self) -> None:
        cancel_session(self.state)
        for task_id in sorted(self.open):
            self.close(task_id, "cancelled")
        self.context = dict(self.state.context_variables)
        self.before = {}
        # Children that nobody waits for any more are still to be told.
        assert isinstance(decide(self.state), CancelChildren if self.state.dropped else Idle | Summarise)

    # What always holds

    @invariant()
    def every_task_is_answered_once_or_open(self) -> None:
        assert len(self.begun) == len(set(self.begun))
        queued = {task.id for task in self.state.queue}
        in_turn = {self.state.turn.task_id} if self.state.turn else set()
        assert queued | in_turn == self.open
        assert not (set(self.answered) & self.open)

    @invariant()
    def decide_changes_nothing_and_says_the_same(self) -> None:
        before = self.dump()
        first, second = decide(self.state), decide(self.state)
        assert type(first) is type(second)
        assert self.dump() == before

    @invariant()
    def calls_and_results_go_together(self) -> None:
        waiting: list[str] = []
        for message in self.state.transcript:
            if message.role == "tool":
                assert waiting, "a result without a call, or out of order"
                assert message.tool_call_id == waiting.pop(0)
            else:
                assert not waiting, "a call without a result"
                waiting = [call.id for call in message.tool_calls or []]
        pending = [call.call.id for call in self.state.turn.calls] if self.state.turn else []
        assert waiting == pending

    @invariant()
    def no_child_is_forgotten(self) -> None:
        waited_for = {p.delegation.session_id for p in open_children(self.state.turn) if p.delegation is not None}
        dropped = set(self.state.dropped)
        assert not waited_for & dropped
        assert self.children - self.ended <= waited_for | dropped
        assert waited_for | dropped <= self.children

    @invariant()
    def sizes_and_indexes_are_true(self) -> None:
        total = sum(len(m.model_dump_json(exclude_unset=True).encode()) for m in self.state.transcript)
        assert self.state.transcript_bytes == total
        assert len(self.state.mailbox) <= MAILBOX_REPLIES
        assert sum(len(r.model_dump_json(exclude_unset=True)) for r in self.state.mailbox.values()) <= MAILBOX_BYTES * 2
        assert self.state.usage.input_tokens == self.input_tokens

    @invariant()
    def replies_name_their_messages(self) -> None:
        for reply in self.state.mailbox.values():
            if reply.kind == "done" and reply.messages and reply.first >= self.state.base:
                kept = read_window(self.state, reply.first, reply.end)
                assert kept == reply.messages
                for handoff in reply.handoffs:
                    assert reply.first < handoff.index <= reply.end

    @invariant()
    def context_is_what_the_calls_made_of_it(self) -> None:
        assert self.state.context_variables == self.context

    def refused(self, check: Any) -> bool:
        """Whether a check refuses; whatever it says, it changes nothing."""
        before = self.dump()
        try:
            check()
        except RojakError:
            assert self.dump() == before
            return True
        assert self.dump() == before
        return False

    def check_taken_back(self, task_id: str) -> None:
        """The session is as before the turn."""
        assert self.state.mailbox[task_id].kind == "failed"
        assert self.state.transcript == self.before["transcript"]
        assert self.state.agent == self.before["agent"]
        self.context = self.before["context"]
        self.before = {}
        self.close(task_id, "failed")

    def close(self, task_id: str, kind: str) -> None:
        """A task is answered, for the first time."""
        assert task_id in self.open
        self.open.discard(task_id)
        self.answered[task_id] = kind
        assert self.state.mailbox[task_id].kind == kind

    def dump(self) -> str:
        return self.state.model_dump_json()


#: Some seconds on an idle machine; the limit is for one that does much else. How many examples is up to the profile
#: (tests/conftest.py): `ROJAK_TEST_PROFILE=thorough` looks much longer.
TestSession = pytest.mark.timeout(600)(SessionMachine.TestCase)
TestSession.settings = settings(stateful_step_count=50, print_blob=True)
