"""Tool calls that wait for a human: which ones do, and what a decision or its absence does."""

from __future__ import annotations

from rojak.session.limits import REMEMBERED_IDS, RESUME_BYTES, size_of
from rojak.session.mailbox import post_reply, take_reply
from rojak.session.routes import Route
from rojak.session.state import PendingCall, Reply, SessionState, ToolRejected, Turn
from rojak.types.agent import Agent
from rojak.types.errors import PayloadTooLargeError, ToolCallNotPendingError
from rojak.types.messages import ToolCall
from rojak.types.session import ResumeRequest, ResumeResponse


def hold_for_approval(agent: Agent, call: ToolCall, route: Route, now: float) -> PendingCall:
    """The call as pending, waiting if the agent has an interrupt for it."""
    interrupt = agent.interrupt_for(call.function.name)
    if interrupt is None:
        return PendingCall(call=call, route=route)
    limit = interrupt.timeout_in_seconds
    return PendingCall(
        call=call,
        route=route,
        waiting=True,
        question=interrupt.question or f"{agent.name} wants to call {call.function.name}. Approve?",
        expires_at=None if limit is None else now + limit,
        on_timeout=interrupt.on_timeout,
    )


def waiting_calls(turn: Turn | None) -> list[PendingCall]:
    """The calls that a human has to decide on."""
    return [] if turn is None else [pending for pending in turn.calls if pending.waiting]


def list_approvals(state: SessionState) -> list[ResumeRequest]:
    """What humans are asked now, in the model's order."""
    turn = state.turn
    return [
        ResumeRequest(
            tool_id=pending.call.id,
            tool_name=pending.call.function.name,
            tool_arguments=pending.call.function.arguments,
            task_id=turn.task_id if turn else "",
            question=pending.question,
            agent_name=state.agent.name if state.agent else None,
            expires_at=pending.expires_at,
        )
        for pending in waiting_calls(turn)
    ]


def post_approvals(state: SessionState) -> None:
    """Tell the task's caller what waits for approval."""
    turn = state.turn
    if turn is not None and (requests := list_approvals(state)):
        post_reply(
            state,
            Reply(kind="interrupted", task_id=turn.task_id, base=state.base, begin=turn.begin, interrupts=requests),
        )


def check_resume(state: SessionState, response: ResumeResponse, resume_id: str) -> None:
    """Refuse a decision on a call that waits for none. Changes nothing.

    Raises:
        ToolCallNotPendingError: no such call waits.
        PayloadTooLargeError: feedback or arguments are too long.
    """
    if resume_id in state.resumed:
        return
    if (size := size_of(response)) > RESUME_BYTES:
        raise PayloadTooLargeError(f"the resume has {size} bytes; at most {RESUME_BYTES} are allowed")
    waiting = [pending.call.id for pending in waiting_calls(state.turn)]
    if response.tool_id not in waiting:
        listed = ", ".join(waiting) or "none"
        raise ToolCallNotPendingError(
            f"tool call {response.tool_id!r} waits for no approval: it is unknown or already resolved."
            f" Waiting now: {listed}"
        )


def apply_resume(state: SessionState, response: ResumeResponse, resume_id: str) -> str:
    """Apply a human's decision, once for each ``resume_id``.

    Returns:
        The id of the task whose turn goes on.

    Raises:
        ToolCallNotPendingError: no such call waits.
    """
    if resume_id in state.resumed:
        return state.resumed[resume_id]
    check_resume(state, response, resume_id)
    turn = state.turn
    if turn is None:
        raise ToolCallNotPendingError(f"tool call {response.tool_id!r} waits for no approval")
    pending = next(p for p in turn.calls if p.call.id == response.tool_id)
    pending.waiting = False
    if response.action == "reject":
        pending.outcome = ToolRejected(feedback=_rejection(response.content))
    elif response.tool_arguments is not None:
        pending.arguments = response.tool_arguments
    take_reply(state, turn.task_id)
    state.resumed[resume_id] = turn.task_id
    while len(state.resumed) > REMEMBERED_IDS:
        del state.resumed[next(iter(state.resumed))]
    post_approvals(state)
    return turn.task_id


def _rejection(feedback: str | None) -> str:
    said = "The human rejected this tool call; it was not made."
    return f"{said} Feedback: {feedback}" if feedback else said


def expire_approvals(state: SessionState, now: float) -> PendingCall | None:
    """Let the time-outs act that have passed.

    Returns:
        A call whose time-out is to fail the turn, or None.
    """
    turn = state.turn
    if turn is None:
        return None
    for pending in waiting_calls(turn):
        if pending.expires_at is None or pending.expires_at > now:
            continue
        if pending.on_timeout == "fail":
            return pending
        pending.waiting = False
        if pending.on_timeout == "reject":
            pending.outcome = ToolRejected(feedback="Nobody approved this tool call in time; it was not made.")
    take_reply(state, turn.task_id)
    post_approvals(state)
    return None
