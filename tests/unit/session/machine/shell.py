"""What the workflow shell does: it asks what is next, and answers with outcomes of its choosing."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from rojak.session.core import apply, decide
from rojak.session.intake import apply_config
from rojak.session.state import Reply, SessionState, Settings, Summary, Task
from rojak.session.steps import (
    ApprovalsExpired,
    AwaitApprovals,
    BeginTurn,
    CallModel,
    CallTools,
    CancelChildren,
    DeadlinePassed,
    FinishTurn,
    Idle,
    ModelReplied,
    Retrieve,
    Retrieved,
    Summarise,
    Summarised,
    SummaryFailed,
    ToolsAnswered,
    TurnBegun,
    TurnFailed,
    TurnFinished,
)
from rojak.session.transcript import build_window
from rojak.session.turns import cancel_session
from rojak.types import (
    ConversationMessage,
    FunctionCall,
    ToolCall,
    Usage,
)
from rojak.types.activities import OutputProblem, RetrieveResult, ToolReturned
from tests.unit.session.machine.cast import AGENTS, NAMES, OUTCOMES, TOOL_NAMES
from tests.unit.session.machine.children import Children


class Shell(Children):
    """The shell around the session."""

    @rule()
    def roll_over(self) -> None:
        text = self.state.model_dump_json(exclude_unset=True)
        revived = SessionState.model_validate_json(text)
        assert revived == self.state
        assert revived.model_dump_json(exclude_unset=True) == text
        self.state = revived

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
