"""Tool calls that wait for a human: which ones do, and what a decision or its absence does."""

from __future__ import annotations

from rojak.session.family import Decision
from rojak.session.limits import REMEMBERED_IDS, RESUME_BYTES, size_of
from rojak.session.mailbox import post_reply, take_reply
from rojak.session.reply import Reply
from rojak.session.routes import MCPRoute, Route
from rojak.session.state import SessionState
from rojak.session.turn import PendingCall, ToolRejected, Turn
from rojak.types.agent import Agent
from rojak.types.errors import PayloadTooLargeError, ToolCallNotPendingError
from rojak.types.messages import ToolCall
from rojak.types.session import ResumeRequest, ResumeResponse


def hold_for_approval(agent: Agent, call: ToolCall, route: Route, now: float) -> PendingCall:
    """The call as pending, waiting if the agent has an interrupt for it."""
    name = call.function.name
    if isinstance(route, MCPRoute):
        interrupt = agent.interrupt_for(name, destructive=route.destructive, server=route.server)
    else:
        interrupt = agent.interrupt_for(name)
    if interrupt is None:
        return PendingCall(call=call, route=route)
    limit = interrupt.timeout_in_seconds
    return PendingCall(
        call=call,
        route=route,
        waiting=True,
        question=interrupt.question or f"{agent.name} wants to call {call.function.name}. Approve?",
        asked_at=now,
        expires_at=None if limit is None else now + limit,
        on_timeout=interrupt.on_timeout,
    )


def waiting_calls(turn: Turn | None) -> list[PendingCall]:
    """The calls that a human has to decide on."""
    return [] if turn is None else [pending for pending in turn.calls if pending.waiting]


def list_approvals(state: SessionState) -> list[ResumeRequest]:
    """What humans are asked now, in the model's order: for calls of the session's own and for those of its children."""
    turn = state.turn
    if turn is None:
        return []
    requests = []
    for pending in turn.calls:
        if pending.waiting:
            requests.append(
                ResumeRequest(
                    tool_id=pending.call.id,
                    tool_name=pending.call.function.name,
                    tool_arguments=pending.call.function.arguments,
                    task_id=turn.task_id,
                    question=pending.question,
                    agent_name=state.agent.name if state.agent else None,
                    asked_at=pending.asked_at,
                    expires_at=pending.expires_at,
                )
            )
        elif pending.delegation is not None:
            requests += [seen_outside(turn, pending, request) for request in pending.delegation.requests]
    return requests


def seen_outside(turn: Turn, pending: PendingCall, request: ResumeRequest) -> ResumeRequest:
    """A child's request as the session's callers see it."""
    return request.model_copy(update={"tool_id": _outer_id(pending, request), "task_id": turn.task_id})


def _outer_id(pending: PendingCall, request: ResumeRequest) -> str:
    """Names a child's call among all that the session's callers see: children of children have longer ids."""
    return f"{pending.call.id}/{request.tool_id}"


def post_approvals(state: SessionState) -> None:
    """Tell the task's caller what waits for approval."""
    turn = state.turn
    if turn is not None and (requests := list_approvals(state)):
        post_reply(
            state,
            Reply(kind="interrupted", task_id=turn.task_id, base=state.base, begin=turn.begin, interrupts=requests),
        )


def refresh_approvals(state: SessionState) -> None:
    """Tell the task's caller what waits now, in place of what it may have been told before and has not fetched."""
    if state.turn is not None:
        take_reply(state, state.turn.task_id)
        post_approvals(state)


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
    waiting = [request.tool_id for request in list_approvals(state)]
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
    own = next((p for p in turn.calls if p.waiting and p.call.id == response.tool_id), None)
    if own is None:
        _pass_on(state, turn, response)
    elif response.action == "reject":
        own.waiting = False
        own.outcome = ToolRejected(feedback=_rejection(response.content))
    else:
        own.waiting = False
        own.arguments = response.tool_arguments
    state.resumed[resume_id] = turn.task_id
    while len(state.resumed) > REMEMBERED_IDS:
        del state.resumed[next(iter(state.resumed))]
    refresh_approvals(state)
    return turn.task_id


def _pass_on(state: SessionState, turn: Turn, response: ResumeResponse) -> None:
    """Leave the decision for the child whose call it is about."""
    for pending in turn.calls:
        child = pending.delegation
        for request in child.requests if child is not None else []:
            if child is not None and _outer_id(pending, request) == response.tool_id:
                child.requests.remove(request)
                child.decisions += 1
                child.unseen[request.tool_id] = child.decisions
                inner = response.model_copy(update={"tool_id": request.tool_id})
                state.outbox.append(Decision(session_id=child.session_id, number=child.decisions, response=inner))
                return


def take_decision(state: SessionState, decision: Decision) -> None:
    """Apply a decision that came from the caller of this session. One that comes too late changes nothing."""
    caller = state.caller
    if caller is None:
        return
    caller.seen = max(caller.seen, decision.number)
    # The caller took it off its list when it passed the decision on.
    caller.reported = [tool_id for tool_id in caller.reported if tool_id != decision.response.tool_id]
    try:
        apply_resume(state, decision.response, f"caller/{decision.number}")
    except ToolCallNotPendingError:
        return


def take_report(state: SessionState) -> list[ResumeRequest] | None:
    """What waits for approval, where the session's caller does not know it yet; None where it knows."""
    requests = list_approvals(state)
    ids = [request.tool_id for request in requests]
    if state.caller is None or ids == state.caller.reported:
        return None
    state.caller.reported = ids
    return requests


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
