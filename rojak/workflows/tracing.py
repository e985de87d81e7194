"""Where sessions tell how their turns went, for traces. A worker that has a tracer hands it in; others have none.

Nothing here changes what a session does, and in a replay nothing is told again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from temporalio import workflow

from rojak.session.state import SessionState
from rojak.session.trace import turn_traceparent
from rojak.session.turn import Turn
from rojak.types.messages import Usage


@dataclass(frozen=True, slots=True)
class EndedTurn:
    """A turn that ended.

    Attributes:
        traceparent: of the turn's own span.
        parent: of its caller's; None if it has none.
        session_id: of the session.
        number: of the turn.
        agent: with whom it began.
        began: in seconds since the epoch.
        ended: in seconds since the epoch.
        outcome: answered, limited, failed or cancelled.
        error_type: for a failure, the name of the cause.
        usage: tokens of its model calls.
    """

    traceparent: str
    parent: str | None
    session_id: str
    number: int
    agent: str
    began: float
    ended: float
    outcome: str
    error_type: str | None
    usage: Usage


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A hand-off; ``traceparent`` is the turn's, ``at`` is in seconds since the epoch."""

    traceparent: str
    session_id: str
    from_agent: str
    to_agent: str
    at: float


class SessionTracer(Protocol):
    """Takes what sessions tell."""

    def turn_ended(self, turn: EndedTurn) -> None:
        """A turn ended."""
        ...

    def handed_over(self, handoff: HandedOver) -> None:
        """One agent handed over to another one."""
        ...


_tracer: SessionTracer | None = None


def use_tracer(tracer: SessionTracer | None) -> None:
    """From now on the sessions of this process tell this one."""
    global _tracer
    _tracer = tracer


def trace_context(state: SessionState) -> str | None:
    """The context in which calls are made now; None outside of turns, and where nobody traces."""
    turn = state.turn
    if turn is None or (_tracer is None and turn.trace is None):
        return None
    return turn_traceparent(workflow.info().workflow_id, turn.task_id, turn.trace)


def trace_turn(turn: Turn, agent_name: str, outcome: str, error_type: str | None) -> None:
    """Tell that a turn ended; ``agent_name`` spoke last."""
    if _tracer is None or workflow.unsafe.is_replaying():
        return
    session_id = workflow.info().workflow_id
    _tracer.turn_ended(
        EndedTurn(
            traceparent=turn_traceparent(session_id, turn.task_id, turn.trace),
            parent=turn.trace,
            session_id=session_id,
            number=turn.number,
            agent=turn.handoffs[0].from_agent if turn.handoffs else agent_name,
            began=turn.began,
            ended=workflow.time(),
            outcome=outcome,
            error_type=error_type,
            usage=turn.usage,
        )
    )


def trace_handoff(turn: Turn, from_agent: str, to_agent: str) -> None:
    """Tell that one agent handed over to another one."""
    if _tracer is None or workflow.unsafe.is_replaying():
        return
    session_id = workflow.info().workflow_id
    traceparent = turn_traceparent(session_id, turn.task_id, turn.trace)
    _tracer.handed_over(HandedOver(traceparent, session_id, from_agent, to_agent, at=workflow.time()))
