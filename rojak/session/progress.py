"""How far a task is: what a caller needs who watches it rather than waits for it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from rojak.session.approvals import list_approvals
from rojak.session.mailbox import find_reply
from rojak.session.reply import Reply
from rojak.session.state import SessionState
from rojak.session.transcript import read_window
from rojak.session.turn import HandOff
from rojak.types.messages import ConversationMessage
from rojak.types.session import ResumeRequest, Retrieval


class Progress(BaseModel):
    """A task as seen from outside.

    Attributes:
        phase: in the queue, in its turn, waiting for humans, or over (then ``reply`` is set).
        turn: number of the turn, 0 while queued.
        step: model calls made so far.
        agent_name: the active agent.
        first: index of the turn's first generated message.
        start: index of the first of ``messages``.
        messages: those generated, from the index asked for on.
        handoffs: all of the turn.
        retrievals: all of the turn.
        interrupts: what waits for approval.
        reply: the reply, once there is one.
    """

    phase: Literal["queued", "running", "waiting_for_approval", "over"]
    turn: int = 0
    step: int = 0
    agent_name: str | None = None
    first: int = 0
    start: int = 0
    messages: list[ConversationMessage] = []
    handoffs: list[HandOff] = []
    retrievals: list[Retrieval] = []
    interrupts: list[ResumeRequest] = []
    reply: Reply | None = None


def read_progress(state: SessionState, task_id: str, after: int) -> Progress:
    """How far the task is, with the generated messages from the absolute index ``after`` on.

    Raises:
        ResultNotFoundError: the session does not know the task any more.
    """
    name = state.agent.name if state.agent else None
    turn = state.turn
    if turn is not None and turn.task_id == task_id:
        interrupts = list_approvals(state)
        return Progress(
            phase="waiting_for_approval" if interrupts else "running",
            turn=turn.number,
            step=turn.step,
            agent_name=name,
            first=turn.first,
            start=max(after, turn.first),
            messages=read_window(state, max(after, turn.first), state.end),
            handoffs=turn.handoffs,
            retrievals=turn.retrievals,
            interrupts=interrupts,
        )
    reply = find_reply(state, task_id)
    if reply is None:
        return Progress(phase="queued", agent_name=name)
    return Progress(
        phase="over",
        agent_name=name,
        first=reply.first,
        handoffs=reply.handoffs,
        retrievals=reply.retrievals,
        reply=reply,
    )
