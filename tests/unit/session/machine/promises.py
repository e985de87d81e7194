"""What a session promises, held against a model that is as simple as can be."""

from __future__ import annotations

from typing import Any

from hypothesis.stateful import RuleBasedStateMachine, invariant

from rojak.session.core import decide
from rojak.session.delegation import open_children
from rojak.session.limits import MAILBOX_BYTES, MAILBOX_REPLIES
from rojak.session.state import SessionState, Task
from rojak.session.transcript import read_window
from rojak.types import (
    ResumeResponse,
)
from rojak.types.errors import RojakError


class Promises(RuleBasedStateMachine):
    """A session, the model of it, and what always holds."""

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
