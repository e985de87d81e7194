"""Agents called as tools: which session works on a call, what it asks humans, and what it answers.

The sessions of such agents are called children here. All of this is bookkeeping on the caller's side; who starts
children and carries messages is `rojak.workflows.children`.
"""

from __future__ import annotations

from rojak.session.approvals import refresh_approvals, seen_outside
from rojak.session.family import Delegation
from rojak.session.limits import CHILD_REQUESTS_BYTES, TURN_TRANSCRIPT_BYTES, size_of
from rojak.session.reply import Reply
from rojak.session.routes import AgentRoute
from rojak.session.state import SessionState
from rojak.session.turn import CallOutcome, PendingCall, Turn
from rojak.types.activities import ToolFailed, ToolReturned
from rojak.types.agent import Agent
from rojak.types.agent_tool import AgentTool
from rojak.types.messages import Usage
from rojak.types.session import ResumeRequest

#: How deep agents may call agents. An agent that calls itself would go on for ever.
MAX_DEPTH = 8
#: Children that may work for one session at a time.
MAX_CHILDREN = 100
#: Temporal takes ids of up to 1,000 characters.
MAX_SESSION_ID = 900


def open_children(turn: Turn | None) -> list[PendingCall]:
    """The calls that children work on."""
    calls = [] if turn is None else turn.calls
    return [pending for pending in calls if pending.delegation is not None and pending.outcome is None]


def find_agent_tool(agent: Agent, pending: PendingCall) -> AgentTool | None:
    """The tool that the call names."""
    tool = agent.find_tool(pending.call.function.name)
    return tool if isinstance(tool, AgentTool) else None


def assign_children(state: SessionState, session_id: str, now: float, calls: list[PendingCall]) -> None:
    """Give each of the calls a session that is to work on it, or an error where it cannot have one."""
    turn, agent = state.turn, state.agent
    if turn is None or agent is None:
        return
    for pending in calls:
        tool = find_agent_tool(agent, pending)
        child_id = f"{session_id}/{turn.number}.{turn.delegated + 1}"
        if tool is None or (refusal := _refuse(state, turn, tool, pending, child_id)) is not None:
            gone = ToolFailed(error_type="UnknownFunctionError", message="The agent does not offer this tool any more.")
            pending.outcome = gone if tool is None else refusal
            continue
        turn.delegated += 1
        limit = tool.timeout_in_seconds
        pending.delegation = Delegation(
            session_id=child_id, agent_name=tool.agent.name, expires_at=None if limit is None else now + limit
        )


def _refuse(state: SessionState, turn: Turn, tool: AgentTool, pending: PendingCall, child_id: str) -> ToolFailed | None:
    """Why the call cannot have a session, or None."""
    depth = state.caller.depth if state.caller else 0
    if depth >= MAX_DEPTH or len(child_id) > MAX_SESSION_ID:
        return ToolFailed(
            error_type="NestingTooDeepError",
            message=f"agents may call agents {MAX_DEPTH} deep, and this one is that deep; do it without {tool.name}",
        )
    if len(open_children(turn)) >= MAX_CHILDREN:
        return ToolFailed(
            error_type="TooManyCallsError",
            message=f"at most {MAX_CHILDREN} agents can work for one session at a time; ask again when some are done",
        )
    try:
        tool.read_message(pending.final_arguments)
    except ValueError as error:
        return ToolFailed(error_type="InvalidArgumentsError", message=str(error))
    return None


def find_child(state: SessionState, session_id: str) -> PendingCall | None:
    """The call that this child works on; None when nobody waits for it any more."""
    for pending in open_children(state.turn):
        if pending.delegation is not None and pending.delegation.session_id == session_id:
            return pending
    return None


def take_requests(state: SessionState, session_id: str, requests: list[ResumeRequest], seen: int) -> bool:
    """Take in what waits for approval in a child.

    Args:
        state: the caller.
        session_id: the child.
        requests: all that waits there now.
        seen: the last decision that the child had seen when it said so. What was decided later may still be in its
            list, and is not asked again.

    Returns:
        Whether the child is one that this session waits for.
    """
    pending = find_child(state, session_id)
    if pending is None or pending.delegation is None:
        return False
    child = pending.delegation
    child.unseen = {tool_id: number for tool_id, number in child.unseen.items() if number > seen}
    asked = [request for request in requests if request.tool_id not in child.unseen]
    child.requests = []
    room = _room_for_requests(state)
    for request in asked:
        fitted = fit_request(request, room // (len(asked) - len(child.requests)))
        size = _size_outside(state.turn, pending, fitted)
        # Somebody has to be asked something, or nothing would ever make room.
        if size > room and room < CHILD_REQUESTS_BYTES:
            break
        child.requests.append(fitted)
        room -= size
    child.withheld = len(asked) - len(child.requests)
    refresh_approvals(state)
    return True


def _room_for_requests(state: SessionState) -> int:
    """Bytes for what more waits for approval in children: all of them share one part of the state."""
    return CHILD_REQUESTS_BYTES - sum(
        _size_outside(state.turn, pending, request)
        for pending in open_children(state.turn)
        if pending.delegation is not None
        for request in pending.delegation.requests
    )


def _size_outside(turn: Turn | None, pending: PendingCall, request: ResumeRequest) -> int:
    return size_of(request if turn is None else seen_outside(turn, pending, request))


def take_withheld(state: SessionState) -> list[str]:
    """Ids of the children to be asked again what waits there, now that there is room; each is named once.

    Not for every bit of room: each answer is all that waits there.
    """
    if _room_for_requests(state) < CHILD_REQUESTS_BYTES // 2:
        return []
    asked = []
    for pending in open_children(state.turn):
        if pending.delegation is not None and pending.delegation.withheld:
            pending.delegation.withheld = 0
            asked.append(pending.delegation.session_id)
    return asked


def fit_request(request: ResumeRequest, room: int) -> ResumeRequest:
    """The request with its texts cut so that it takes about ``room`` bytes: the child itself has them whole."""
    if size_of(request) <= room:
        return request
    # JSON escapes at most six bytes for one character, and there are two texts.
    kept = max(64, room // 12 - 64)
    cut = {name: _cut(getattr(request, name), kept) for name in ("tool_arguments", "question")}
    return request.model_copy(update=cut)


def _cut(text: str, kept: int) -> str:
    return text if len(text) <= kept else f"{text[:kept]} [cut: {len(text) - kept} more characters]"


def take_answer(state: SessionState, session_id: str, reply: Reply) -> bool:
    """Take in how a child ended; once, however often it is said.

    Returns:
        Whether this session waited for it.
    """
    pending = find_child(state, session_id)
    if pending is None or pending.delegation is None or state.turn is None:
        return False
    child = pending.delegation
    child.usage = reply.session_usage
    child.requests, child.withheld = [], 0
    state.turn.usage += reply.session_usage
    state.usage += reply.session_usage
    pending.outcome = _outcome_of(child, reply, _room_for_outcomes(state, state.turn))
    refresh_approvals(state)
    return True


def hold_outcome(state: SessionState, turn: Turn, outcome: CallOutcome) -> CallOutcome:
    """The outcome of a function as it can be kept until the children before it, which may take weeks, have answered."""
    room = _room_for_outcomes(state, turn)
    if not isinstance(outcome, ToolReturned) or size_of(outcome) <= room or not open_children(turn):
        return outcome
    rest = outcome.model_copy(update={"output": "", "patch": []})
    text = _cut(outcome.output, max(0, (room - size_of(rest)) // 6 - 128))
    if outcome.patch:
        text += " [its changes of the context variables were dropped: other calls left no room to keep them]"
    return rest.model_copy(update={"output": text})


def _room_for_outcomes(state: SessionState, turn: Turn) -> int:
    """Bytes for another outcome: until their turn comes in the model's order they have the conversation's share."""
    return room_in_turn(state, turn) - sum(size_of(p.outcome) for p in turn.calls if p.outcome is not None)


def room_in_turn(state: SessionState, turn: Turn) -> int:
    """Bytes that the conversation may still grow by: its share has the arguments of open calls in it too."""
    return TURN_TRANSCRIPT_BYTES - state.transcript_bytes - sum(size_of(pending.call) for pending in turn.calls)


def _outcome_of(child: Delegation, reply: Reply, room: int) -> ToolReturned | ToolFailed:
    last = reply.messages[-1] if reply.messages else None
    if reply.kind == "done" and last is not None and last.role == "assistant":
        text = last.text
        return ToolReturned(output=text if size_of({"": text}) <= room else _cut(text, max(0, room // 6 - 128)))
    if reply.kind == "done":
        limit = f" (limit {reply.limit.kind})" if reply.limit else ""
        return ToolFailed(error_type="NoAnswerError", message=f"{child.agent_name} ended without an answer{limit}")
    error_type = reply.error_type or "Error"
    reason = _cut(reply.reason or "", max(0, min(room // 6 - 128, 4096)))
    return ToolFailed(error_type=error_type, message=f"{child.agent_name} failed: {error_type}: {reason}")


def expire_children(state: SessionState, now: float) -> None:
    """Give up children whose time is over."""
    for pending in open_children(state.turn):
        child = pending.delegation
        if child is None or child.expires_at is None or child.expires_at > now:
            continue
        _drop(state, child)
        pending.outcome = ToolFailed(
            error_type="TimeoutError",
            message=f"{child.agent_name} was not done in time and was stopped; what it did until then stays done",
        )
    refresh_approvals(state)


def drop_children(state: SessionState, turn: Turn) -> None:
    """Nobody waits for the turn's children any more: they are to be cancelled."""
    for pending in open_children(turn):
        if pending.delegation is not None:
            _drop(state, pending.delegation)


def _drop(state: SessionState, child: Delegation) -> None:
    child.requests, child.withheld = [], 0
    state.dropped.append(child.session_id)


def detach_children(state: SessionState) -> None:
    """The session goes on in another run of its workflow, which hears of its children by their messages alone."""
    for pending in open_children(state.turn):
        if pending.delegation is not None:
            pending.delegation.detached = True


def is_agent_call(pending: PendingCall) -> bool:
    """Whether another agent is to do what is called for."""
    return isinstance(pending.route, AgentRoute)


def reply_to_caller(state: SessionState, reply: Reply) -> Reply:
    """A child's reply as its caller gets it: the answer and what it cost, not how it came about."""
    usage = {"session_usage": state.usage} if state.usage != Usage() else {}
    if reply.kind != "done":
        return Reply(kind="failed", task_id=reply.task_id, error_type=reply.error_type, reason=reply.reason, **usage)
    fields = {"limit": reply.limit} if reply.limit else {}
    return Reply(
        kind="done",
        task_id=reply.task_id,
        session_type=state.type,
        begin=reply.begin,
        base=reply.base,
        first=max(reply.first, reply.end - 1),
        end=reply.end,
        messages=reply.messages[-1:],
        **fields,
        **usage,
    )
