"""Replies that wait for their callers: each task is answered once, and asked for as often as a caller likes."""

from __future__ import annotations

from rojak.session.limits import MAILBOX_BYTES, MAILBOX_REPLIES, REMEMBERED_IDS, size_of
from rojak.session.reply import Reply
from rojak.session.state import SessionState
from rojak.session.transcript import read_window
from rojak.types.errors import ResultNotFoundError


def post_reply(state: SessionState, reply: Reply) -> None:
    """Leave the reply for whoever waits for the task; the oldest replies make room."""
    if reply.messages and size_of(reply) > MAILBOX_BYTES // 2:
        # Too long to be kept twice. The messages are read from the transcript while they are there.
        reply = reply.model_copy(update={"messages": []})
    take_reply(state, reply.task_id)
    state.mailbox[reply.task_id] = reply
    state.mailbox_sizes[reply.task_id] = size_of(reply)
    if reply.kind != "interrupted":
        state.answered.append(reply.task_id)
        del state.answered[:-REMEMBERED_IDS]
    _evict(state, keep=reply.task_id)


def take_reply(state: SessionState, task_id: str) -> None:
    """Take a reply out, if there is one: it does not count any more."""
    state.mailbox.pop(task_id, None)
    state.mailbox_sizes.pop(task_id, None)


def _evict(state: SessionState, keep: str) -> None:
    total = sum(state.mailbox_sizes.values())
    for task_id in list(state.mailbox):
        if len(state.mailbox) <= MAILBOX_REPLIES and total <= MAILBOX_BYTES:
            return
        # The turn in progress still needs its entry: it says what waits for approval.
        if task_id != keep and not (state.turn and state.turn.task_id == task_id):
            total -= state.mailbox_sizes[task_id]
            take_reply(state, task_id)


def find_reply(state: SessionState, task_id: str) -> Reply | None:
    """The reply for a task; None as long as there is none.

    Raises:
        ResultNotFoundError: the session does not know the task, or does not keep its reply any more.
    """
    reply = state.mailbox.get(task_id)
    if reply is not None:
        if reply.end > reply.first and not reply.messages:
            if reply.first < state.base:
                raise ResultNotFoundError(f"the messages of task {task_id!r} are no longer kept")
            return reply.model_copy(update={"messages": read_window(state, reply.first, reply.end)})
        return reply
    if is_open(state, task_id):
        return None
    if task_id in state.answered:
        raise ResultNotFoundError(
            f"task {task_id!r} was answered, and its reply is no longer kept: the session keeps the last"
            f" {MAILBOX_REPLIES} (at most {MAILBOX_BYTES // 1024} KiB)"
        )
    raise ResultNotFoundError(f"the session knows no task {task_id!r}; leave task_id out for the latest one")


def is_open(state: SessionState, task_id: str) -> bool:
    """Whether the task is in the queue or has its turn now."""
    in_turn = state.turn is not None and state.turn.task_id == task_id
    return in_turn or any(task.id == task_id for task in state.queue)


def is_known(state: SessionState, task_id: str) -> bool:
    """Whether the task came before."""
    return is_open(state, task_id) or task_id in state.mailbox or task_id in state.answered
