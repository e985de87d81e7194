"""What a session says of what callers sent: whether it arrived, and what came of it."""

from __future__ import annotations

import pytest

from rojak.session.approvals import apply_resume
from rojak.session.core import apply
from rojak.session.limits import MAILBOX_REPLIES, REMEMBERED_CHANGES
from rojak.session.receipts import Receipt, find_receipt, note_change
from rojak.session.state import SessionState, Settings
from rojak.session.steps import ModelReplied, TurnBegun
from rojak.types import Interrupt, ResumeResponse
from rojak.types.errors import ResultNotFoundError
from tests.unit.session.test_session_rules import AGENT, Task, answer, calling, enqueue_task, give, user


def test_what_never_arrived_is_not_known() -> None:
    state = SessionState()
    give(state, "other")
    assert find_receipt(state, "task", "t") == Receipt()
    assert find_receipt(state, "resume", "r") == Receipt()
    assert find_receipt(state, "change", "c") == Receipt()


def test_a_task_is_known_from_the_queue_to_its_reply() -> None:
    state = SessionState(settings=Settings(history_size=2))
    give(state, "t")
    assert find_receipt(state, "task", "t") == Receipt(known=True, task_id="t")
    answer(state, "done")
    receipt = find_receipt(state, "task", "t")
    assert receipt.known
    assert receipt.reply is not None
    assert receipt.reply.messages[-1].text == "done"
    for number in range(MAILBOX_REPLIES):
        give(state, f"t{number}")
        answer(state)
    with pytest.raises(ResultNotFoundError, match="no longer kept"):
        find_receipt(state, "task", "t")


def test_a_resume_is_known_by_its_own_id_and_tells_what_came_of_the_turn() -> None:
    state = SessionState()
    agent = AGENT.model_copy(update={"interrupts": [Interrupt("f")]})
    enqueue_task(state, Task(id="t", messages=[user()], agent=agent))
    apply(state, TurnBegun())
    apply(state, ModelReplied(calling("c1", "c2"), 0.0))
    assert find_receipt(state, "resume", "r") == Receipt()
    apply_resume(state, ResumeResponse(action="approve", tool_id="c1"), "r")
    receipt = find_receipt(state, "resume", "r")
    assert receipt.known
    assert receipt.reply is not None
    assert [request.tool_id for request in receipt.reply.interrupts] == ["c2"]
    apply_resume(state, ResumeResponse(action="reject", tool_id="c2"), "another")
    assert find_receipt(state, "resume", "r") == Receipt(known=True, task_id="t")


def test_a_change_is_made_once_for_each_id() -> None:
    state = SessionState()
    assert note_change(state, "c")
    assert not note_change(state, "c")
    assert find_receipt(state, "change", "c").known
    assert note_change(state, "")
    assert note_change(state, "")
    for number in range(REMEMBERED_CHANGES):
        assert note_change(state, str(number))
    assert len(state.changes) == REMEMBERED_CHANGES
    assert not find_receipt(state, "change", "c").known
