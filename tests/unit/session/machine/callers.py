"""What callers do: tasks, decisions and changes, once and again."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from rojak.session.approvals import apply_resume, check_resume, list_approvals
from rojak.session.intake import apply_config, check_config, check_task, enqueue_task
from rojak.session.state import Settings, Task
from rojak.types import (
    Agent,
    ConversationMessage,
    ResumeResponse,
)
from tests.unit.session.machine.cast import AGENTS, KEYS
from tests.unit.session.machine.promises import Promises


class Callers(Promises):
    """Callers of the session."""

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
