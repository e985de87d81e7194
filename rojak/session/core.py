"""The session as a state machine: `decide` says what is to be done next, `apply` takes in what came of it.

Both are plain functions on plain data, so that a conversation of any length, with failures and roll-overs at any
point, is tested in microseconds. The shell that does the steps is `rojak.workflows.orchestrator`.
"""

from __future__ import annotations

from typing import Any

from rojak.session.approvals import expire_approvals, hold_for_approval, list_approvals, post_approvals, waiting_calls
from rojak.session.budget import admit_calls, deadline_of, end_for_time, find_limit
from rojak.session.compaction import find_compaction, note_failure, note_summary, take_summary
from rojak.session.delegation import (
    assign_children,
    drop_children,
    expire_children,
    hold_outcome,
    is_agent_call,
    open_children,
    room_in_turn,
    take_answer,
)
from rojak.session.limits import CONTEXT_BYTES, TURN_TRANSCRIPT_BYTES, size_of
from rojak.session.mailbox import post_reply
from rojak.session.misfits import correction, describe_misfit
from rojak.session.named import (
    as_seen_outside,
    drop_definitions,
    effective_settings,
    enter_agent,
    keep_definition,
    take_definition,
    wants_refresh,
)
from rojak.session.patches import apply_patch
from rojak.session.retrieval import retrieval_query, take_retrieved
from rojak.session.routing import find_route, offered_names
from rojak.session.state import CallOutcome, HandOff, PendingCall, Reply, SessionState, ToolRejected, Turn
from rojak.session.steps import (
    ApprovalsExpired,
    AwaitApprovals,
    AwaitChildren,
    BeginTurn,
    CallModel,
    CallTools,
    CancelChildren,
    ChildAnswered,
    ChildrenAssigned,
    ChildrenCancelled,
    ChildrenExpired,
    DeadlinePassed,
    FinishTurn,
    Idle,
    ModelReplied,
    Outcome,
    Retrieve,
    Retrieved,
    StartChildren,
    Step,
    Summarised,
    SummaryFailed,
    ToolsAnswered,
    TurnBegun,
    TurnFailed,
    TurnFinished,
)
from rojak.session.transcript import append_message, rewind, trim
from rojak.types.activities import OutputProblem, Refreshed, ToolFailed
from rojak.types.agent import Agent, AgentRef
from rojak.types.messages import ConversationMessage, ToolCall, Usage


def decide(state: SessionState) -> Step:
    """The next step. Changes nothing: asked twice it says the same."""
    if state.dropped:
        return CancelChildren(list(state.dropped))
    turn = state.turn
    if turn is None:
        if (compaction := find_compaction(state)) is not None:
            return compaction
        return BeginTurn() if state.queue else Idle()
    if turn.calls:
        if waiting := waiting_calls(turn):
            return AwaitApprovals(deadline=min((p.expires_at for p in waiting if p.expires_at), default=None))
        return _decide_on_calls(turn, active_agent(state))
    if _is_answered(state, turn) or find_limit(state, turn) is not None:
        return FinishTurn()
    if turn.retrieval == "wanted":
        return Retrieve(query=retrieval_query(state))
    return CallModel()


def _decide_on_calls(turn: Turn, agent: Agent) -> Step:
    """What is next for calls that wait for no human. Children begin first, so that they work while functions run."""
    unanswered = [pending for pending in turn.calls if pending.outcome is None]
    if not agent.parallel_tool_calls:
        del unanswered[1:]
    ready = [pending for pending in unanswered if pending.delegation is None]
    if for_agents := [pending for pending in ready if is_agent_call(pending)]:
        return StartChildren(for_agents)
    if ready or not unanswered:
        return CallTools(ready)
    limits = [pending.delegation.expires_at for pending in open_children(turn) if pending.delegation is not None]
    return AwaitChildren(deadline=min((limit for limit in limits if limit is not None), default=None))


def apply(state: SessionState, outcome: Outcome) -> None:
    """Take in what came of a step. Changes ``state`` in place."""
    match outcome:
        case Summarised(summary):
            note_summary(state, summary)
        case SummaryFailed(error_type):
            note_failure(state, error_type)
        case TurnBegun(now):
            _begin_turn(state, now)
        case Retrieved(result):
            take_retrieved(state, current_turn(state), active_agent(state), result)
        case ModelReplied(message, now, refreshed, problem):
            if _take_refreshed(state, refreshed, now):
                _take_model_reply(state, message, now)
                if problem is not None and state.turn is not None:
                    _take_problem(state, problem)
        case ToolsAnswered(outcomes):
            _take_outcomes(state, outcomes)
        case ApprovalsExpired(now):
            if (late := expire_approvals(state, now)) is not None:
                name = late.call.function.name
                _fail_turn(state, "ApprovalTimeoutError", f"nobody approved the call of {name} in time")
            else:
                _settle_calls(state)
        case ChildrenAssigned(session_id, now):
            step = decide(state)
            assign_children(state, session_id, now, step.calls if isinstance(step, StartChildren) else [])
            _settle_calls(state)
        case ChildAnswered(session_id, reply):
            if take_answer(state, session_id, reply):
                _settle_calls(state)
        case ChildrenExpired(now):
            expire_children(state, now)
            _settle_calls(state)
        case ChildrenCancelled(session_ids):
            state.dropped = [child for child in state.dropped if child not in session_ids]
        case DeadlinePassed(now, outcomes):
            _break_off(state, outcomes, now)
        case TurnFailed(error_type, reason):
            _fail_turn(state, error_type, reason)
        case TurnFinished():
            _finish_turn(state)


def current_turn(state: SessionState) -> Turn:
    """The turn in progress, where there must be one."""
    if state.turn is None:
        raise RuntimeError("no turn is in progress")
    return state.turn


def active_agent(state: SessionState) -> Agent:
    """The active agent, where there must be one."""
    if state.agent is None:
        raise RuntimeError("the session has no agent")
    return state.agent


def cancel_session(state: SessionState) -> None:
    """Answer everybody who waits: the session ends."""
    open_tasks = [state.turn.task_id] if state.turn else []
    open_tasks += [task.id for task in state.queue]
    if state.turn is not None:
        _take_back(state, state.turn)
    state.queue = []
    for task_id in open_tasks:
        post_reply(state, Reply(kind="cancelled", task_id=task_id, base=state.base))


def _is_answered(state: SessionState, turn: Turn) -> bool:
    """Whether the turn's last message is the model's, all of whose calls (if any) are settled: so it has none."""
    return state.end > turn.first and state.transcript[-1].role == "assistant"


def _begin_turn(state: SessionState, now: float) -> None:
    task = state.queue.pop(0)
    state.settings = state.settings.changed_by(task.settings)
    take_summary(state)
    trim(state)
    state.turns += 1
    agent_before, context_before = state.agent, state.context_variables
    begin = state.end
    for message in task.messages:
        append_message(state, message)
    drop_definitions(state)
    if task.agent is not None:
        begins = enter_agent(state, task.agent)
        if begins is not state.agent:
            keep_definition(state, state.agent)
            state.context_variables = {**begins.context_variables, **state.context_variables}
        state.agent = begins
    state.context_variables = {**state.context_variables, **task.context_variables}
    settings = effective_settings(state.settings, state.agent)
    state.turn = Turn(
        task_id=task.id,
        number=state.turns,
        begin=begin,
        first=state.end,
        max_turns=settings.max_turns,
        agent_before=agent_before,
        context_before=context_before,
        retrieval="wanted" if state.agent and state.agent.retriever else "none",
        stream=task.stream,
        max_tool_calls=settings.max_tool_calls,
        max_tokens_total=settings.max_tokens_total,
        run_timeout=settings.run_timeout,
        deadline=deadline_of(settings, now),
        refresh=wants_refresh(state.agent),
        trace=task.trace,
        began=now,
    )
    if state.agent is None:
        # It was sent while a turn was in progress whose failure took the agent away again.
        _fail_turn(state, "ConfigurationError", "the session has no agent yet: TaskParams(agent=...)")


def _take_refreshed(state: SessionState, refreshed: Refreshed | None, now: float) -> bool:
    """Take in what the worker knows newer. False when the turn failed over it."""
    turn = current_turn(state)
    turn.refresh = False
    if refreshed is None:
        return True
    state.catalog = refreshed.catalog or state.catalog
    if refreshed.agent is None:
        return True
    if not take_definition(state, turn, refreshed.agent):
        _fail_turn(
            state,
            "PayloadTooLargeError",
            f"the context variables, with those that agent {refreshed.agent.name!r} begins with, would be larger than"
            f" {CONTEXT_BYTES} bytes",
        )
        return False
    if turn.deadline is None and turn.run_timeout is not None:
        turn.deadline = now + turn.run_timeout
    if refreshed.retrieved is not None:
        take_retrieved(state, turn, active_agent(state), refreshed.retrieved)
    return True


def _take_model_reply(state: SessionState, message: ConversationMessage, now: float) -> None:
    turn, agent = current_turn(state), active_agent(state)
    if message.sender is None:
        message = message.model_copy(update={"sender": agent.name})
    turn.step += 1
    turn.usage += message.usage or Usage()
    state.usage += message.usage or Usage()
    append_message(state, message)
    if state.transcript_bytes > TURN_TRANSCRIPT_BYTES:
        _fail_turn(
            state,
            "ConversationTooLongError",
            f"the conversation grew to {state.transcript_bytes} bytes in this turn; at most"
            f" {TURN_TRANSCRIPT_BYTES} fit into a session",
        )
        return
    turn.calls = [_pend(state, agent, call, now) for call in message.tool_calls or []]
    if (size := _size_with_calls(state)) > TURN_TRANSCRIPT_BYTES:
        reason = "the conversation with the arguments of this step's tool calls, which are kept until they are"
        reason += f" answered, would have {size} bytes; at most {TURN_TRANSCRIPT_BYTES} fit into a session"
        _fail_turn(state, "ConversationTooLongError", reason)
        return
    admit_calls(turn)
    if waiting_calls(turn):
        post_approvals(state)
    else:
        _settle_calls(state)


def _size_with_calls(state: SessionState) -> int:
    """Bytes of the conversation, and of what is kept of calls beside it: for making them, and for asking humans."""
    calls = [] if state.turn is None else state.turn.calls
    return state.transcript_bytes + sum(size_of(kept) for kept in (*calls, *list_approvals(state)))


def _take_problem(state: SessionState, problem: OutputProblem) -> None:
    """Tell the model what does not fit in its answer, or give up."""
    turn, agent = current_turn(state), active_agent(state)
    turn.misfits += 1
    if turn.misfits > agent.output_retries:
        reason = describe_misfit(agent.name, problem, turn.misfits)
        _fail_turn(state, "OutputValidationError", reason)
        return
    append_message(state, ConversationMessage(role="user", content=correction(problem)))


def _pend(state: SessionState, agent: Agent, call: ToolCall, now: float) -> PendingCall:
    name = call.function.name
    route = find_route(state, agent, name)
    if route is not None:
        return hold_for_approval(agent, call, route, now)
    offered = ", ".join(offered_names(state, agent)) or "none"
    failure = ToolFailed(
        error_type="UnknownFunctionError", message=f"There is no function {name!r}. Functions: {offered}."
    )
    return PendingCall(call=call, outcome=failure)


def _take_outcomes(state: SessionState, outcomes: dict[str, CallOutcome]) -> None:
    turn = current_turn(state)
    for pending in turn.calls:
        if pending.outcome is None and pending.call.id in outcomes:
            pending.outcome = hold_outcome(state, turn, outcomes[pending.call.id])
    _settle_calls(state)


def _break_off(state: SessionState, outcomes: dict[str, CallOutcome], now: float) -> None:
    """End the turn because its time is over."""
    step, turn = decide(state), current_turn(state)
    for pending in turn.calls:
        pending.outcome = pending.outcome or outcomes.get(pending.call.id)
    in_progress = {pending.call.id for pending in step.calls} if isinstance(step, CallTools) else set()
    in_progress |= {pending.call.id for pending in open_children(turn)}
    drop_children(state, turn)
    end_for_time(turn, in_progress, now)
    _settle_calls(state)


def _settle_calls(state: SessionState) -> None:
    """Append the results in the model's order, as far as there are any without a gap before them.

    So a call that runs after another one sees what that changed, and a roll-over between two of them carries no
    result twice.
    """
    turn = current_turn(state)
    if waiting_calls(turn):
        return
    while turn.calls and turn.calls[0].outcome is not None:
        pending = turn.calls.pop(0)
        _take_result(state, turn, pending)
    if not turn.calls and turn.next_agent is not None:
        _hand_over(state, turn, turn.next_agent)


def _take_result(state: SessionState, turn: Turn, pending: PendingCall) -> None:
    call, outcome = pending.call, pending.outcome
    content: str | list[dict[str, Any]]
    match outcome:
        case None:
            raise RuntimeError("a call without an outcome has no result")
        case ToolFailed():
            content = f"Error: {outcome.message}"
        case ToolRejected():
            content = outcome.feedback
        case _:
            content = outcome.parts or outcome.output
            context = apply_patch(state.context_variables, outcome.patch) if outcome.patch else state.context_variables
            if outcome.patch and size_of(context) > CONTEXT_BYTES:
                content = (
                    f"Error: the call was made, but its changes of the context variables were dropped: they"
                    f" would be larger than {CONTEXT_BYTES} bytes."
                )
            else:
                state.context_variables = context
            if outcome.agent is not None:
                # Of several hand-offs in one step the last one counts.
                turn.next_agent = outcome.agent
    message = ConversationMessage(role="tool", content=content, sender=active_agent(state).name, tool_call_id=call.id)
    if pending.delegation is not None and pending.delegation.usage != Usage():
        message.usage = pending.delegation.usage
    append_message(state, fit_message(message, room_in_turn(state, turn)))


def fit_message(message: ConversationMessage, room: int) -> ConversationMessage:
    """The message with its text cut so that it takes at most ``room`` bytes; of parts the text alone is left."""
    size = size_of(message)
    if size <= room or message.content is None:
        return message
    text = message.text
    if not isinstance(message.content, str):
        text = f"{text}\n[left out: the conversation has no room for what is not text]"
        message = message.model_copy(update={"content": text})
        if size_of(message) <= room:
            return message
    # JSON escapes at most six bytes for one character, so a sixth of the room is always safe.
    kept = max(0, room // 6 - 128)
    lost = len(text) - kept
    cut = f"{text[:kept]}\n[cut: the conversation has no room for the other {lost} characters]"
    return message.model_copy(update={"content": cut})


def _hand_over(state: SessionState, turn: Turn, to: Agent) -> None:
    turn.handoffs.append(HandOff(index=state.end, from_agent=active_agent(state).name, to_agent=to.name))
    left, state.agent = state.agent, enter_agent(state, to)
    if state.agent is not left:
        keep_definition(state, left)
        turn.refresh = isinstance(state.agent, AgentRef)
    turn.next_agent = None
    turn.retrieval = "wanted" if state.agent.retriever else "none"
    turn.retrieved = None


def _fail_turn(state: SessionState, error_type: str, reason: str) -> None:
    """Take the turn back and tell the caller. Tokens stay counted: they are spent."""
    turn = current_turn(state)
    _take_back(state, turn)
    post_reply(
        state,
        Reply(
            kind="failed",
            task_id=turn.task_id,
            base=state.base,
            error_type=error_type,
            reason=reason,
            usage=turn.usage,
            session_usage=state.usage,
        ),
    )


def _take_back(state: SessionState, turn: Turn) -> None:
    """Put the session back to where it was before the turn."""
    drop_children(state, turn)
    rewind(state, turn.begin)
    state.agent = turn.agent_before
    state.context_variables = turn.context_before
    state.turn = None


def _finish_turn(state: SessionState) -> None:
    turn = current_turn(state)
    state.turn = None
    fields: dict[str, Any] = {
        "session_type": state.type,
        "base": state.base,
        "begin": turn.begin,
        "first": turn.first,
        "end": state.end,
        "messages": state.transcript[turn.first - state.base :],
        "agent": as_seen_outside(state.agent),
        "context_variables": state.context_variables,
        # The turn's own tokens are those of its messages.
        "session_usage": state.usage if state.type == "persistent" else Usage(),
        "handoffs": turn.handoffs,
        "retrievals": turn.retrievals,
        "limit": None if _is_answered(state, turn) else find_limit(state, turn),
    }
    # Replies are in the history, one for each turn: what has its default is left out.
    changed = {name: value for name, value in fields.items() if value != Reply.model_fields[name].default}
    post_reply(state, Reply(kind="done", task_id=turn.task_id, **changed))
