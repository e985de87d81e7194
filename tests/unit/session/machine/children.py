"""What the shell does about sub-agents, and what these do."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from rojak.session.approvals import list_approvals
from rojak.session.core import apply, decide
from rojak.session.delegation import detach_children, open_children, take_requests
from rojak.session.state import Reply
from rojak.session.steps import (
    AwaitChildren,
    CancelChildren,
    ChildAnswered,
    ChildrenAssigned,
    ChildrenCancelled,
    ChildrenExpired,
    StartChildren,
)
from rojak.session.turns import active_agent
from rojak.types import (
    ConversationMessage,
    ResumeRequest,
    Usage,
)
from tests.unit.session.machine.callers import Callers


class Children(Callers):
    """Sub-agents of the session."""

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
