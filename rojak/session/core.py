"""The session as a state machine: `decide` says what is to be done next, `apply` takes in what came of it.

Both are plain functions on plain data, so that a conversation of any length, with failures and roll-overs at any
point, is tested in microseconds. The shell that does the steps is `rojak.workflows.orchestrator`.
"""

from __future__ import annotations

from rojak.session.approvals import expire_approvals, waiting_calls
from rojak.session.budget import end_for_time, find_limit
from rojak.session.compaction import find_compaction, note_failure, note_summary
from rojak.session.delegation import (
    assign_children,
    drop_children,
    expire_children,
    is_agent_call,
    open_children,
    take_answer,
)
from rojak.session.model_replies import take_model_reply, take_problem, take_refreshed
from rojak.session.results import settle_calls, take_outcomes
from rojak.session.retrieval import retrieval_query, take_retrieved
from rojak.session.state import SessionState
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
from rojak.session.turn import CallOutcome, Turn
from rojak.session.turns import (
    active_agent,
    begin_turn,
    current_turn,
    fail_turn,
    finish_turn,
    is_answered,
)
from rojak.types.agent import Agent


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
    if is_answered(state, turn) or find_limit(state, turn) is not None:
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
            begin_turn(state, now)
        case Retrieved(result):
            take_retrieved(state, current_turn(state), active_agent(state), result)
        case ModelReplied(message, now, refreshed, problem):
            if take_refreshed(state, refreshed, now):
                take_model_reply(state, message, now)
                if problem is not None and state.turn is not None:
                    take_problem(state, problem)
        case ToolsAnswered(outcomes):
            take_outcomes(state, outcomes)
        case ApprovalsExpired(now):
            if (late := expire_approvals(state, now)) is not None:
                name = late.call.function.name
                fail_turn(state, "ApprovalTimeoutError", f"nobody approved the call of {name} in time")
            else:
                settle_calls(state)
        case ChildrenAssigned(session_id, now):
            step = decide(state)
            assign_children(state, session_id, now, step.calls if isinstance(step, StartChildren) else [])
            settle_calls(state)
        case ChildAnswered(session_id, reply):
            if take_answer(state, session_id, reply):
                settle_calls(state)
        case ChildrenExpired(now):
            expire_children(state, now)
            settle_calls(state)
        case ChildrenCancelled(session_ids):
            state.dropped = [child for child in state.dropped if child not in session_ids]
        case DeadlinePassed(now, outcomes):
            _break_off(state, outcomes, now)
        case TurnFailed(error_type, reason):
            fail_turn(state, error_type, reason)
        case TurnFinished():
            finish_turn(state)


def _break_off(state: SessionState, outcomes: dict[str, CallOutcome], now: float) -> None:
    """End the turn because its time is over."""
    step, turn = decide(state), current_turn(state)
    for pending in turn.calls:
        pending.outcome = pending.outcome or outcomes.get(pending.call.id)
    in_progress = {pending.call.id for pending in step.calls} if isinstance(step, CallTools) else set()
    in_progress |= {pending.call.id for pending in open_children(turn)}
    drop_children(state, turn)
    end_for_time(turn, in_progress, now)
    settle_calls(state)
