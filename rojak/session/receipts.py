"""What a session knows of something that a caller sent: whoever hears nothing asks, before sending it again."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from rojak.session.limits import REMEMBERED_CHANGES
from rojak.session.mailbox import find_reply, is_known
from rojak.session.reply import Reply
from rojak.session.state import SessionState

#: What callers send: tasks, decisions of humans, and changes of the settings.
ErrandKind = Literal["task", "resume", "change"]


class Receipt(BaseModel):
    """What became of something that a caller sent.

    Attributes:
        known: whether it arrived.
        task_id: the task that it is, or whose turn it is about.
        reply: to that task, once there is one.
    """

    known: bool = False
    task_id: str = ""
    reply: Reply | None = None


def find_receipt(state: SessionState, kind: ErrandKind, errand_id: str) -> Receipt:
    """What became of the task, the resume or the change of this id.

    Raises:
        ResultNotFoundError: it arrived and was answered, and the reply is no longer kept.
    """
    if kind == "change":
        return Receipt(known=errand_id in state.changes)
    task_id = state.resumed.get(errand_id) if kind == "resume" else errand_id
    if task_id is None or not is_known(state, task_id):
        return Receipt()
    return Receipt(known=True, task_id=task_id, reply=find_reply(state, task_id))


def note_change(state: SessionState, change_id: str) -> bool:
    """Whether a change is to be made: once however often it is sent. One without an id is made each time."""
    if not change_id:
        return True
    if change_id in state.changes:
        return False
    state.changes.append(change_id)
    del state.changes[:-REMEMBERED_CHANGES]
    return True
