"""What a session shows of itself in Temporal's UI: who is active, in which step, waiting for what. No user content."""

from __future__ import annotations

from temporalio import workflow

from rojak.session.approvals import list_approvals, waiting_calls
from rojak.session.delegation import open_children
from rojak.session.state import SessionState
from rojak.session.steps import (
    AwaitApprovals,
    AwaitChildren,
    CallModel,
    CallTools,
    FinishTurn,
    Idle,
    Retrieve,
    Step,
    Summarise,
)
from rojak.workflows.contracts import AGENT_ATTRIBUTE, STATUS_ACTIVE, STATUS_ATTRIBUTE, STATUS_WAITING, agent_tag


def show_progress(state: SessionState, step: Step) -> None:
    """Set the workflow's current details; they are computed on demand and cost no event."""
    turn = state.turn
    failed = f"  \n**Summary of older messages failed:** {state.summary_error}" if state.summary_error else ""
    workflow.set_current_details(
        f"**Agent:** {state.agent.name if state.agent else '-'}  \n"
        f"**Turn:** {state.turns}, model calls: {turn.step if turn else 0}  \n"
        f"**Now:** {describe_step(state, step)}  \n"
        f"**Tasks waiting:** {len(state.queue)}{failed}"
    )


def describe_step(state: SessionState, step: Step) -> str:
    """What happens now, for a person."""
    match step:
        case Idle():
            return "idle, waiting for a task"
        case Summarise(start, end):
            return f"summarising {end - start} older messages"
        case CallModel():
            agent = state.agent
            where = f" on task queue {agent.task_queue}" if agent is not None and agent.task_queue else ""
            return f"waiting for the model {agent.model if agent else ''}{where}"
        case CallTools(calls):
            return "running " + ", ".join(pending.call.function.name for pending in calls)
        case AwaitApprovals():
            names = ", ".join(pending.call.function.name for pending in waiting_calls(state.turn))
            return f"waiting for a human to approve {names}"
        case AwaitChildren():
            names = ", ".join(pending.call.function.name for pending in open_children(state.turn))
            asked = ", ".join(request.tool_name for request in list_approvals(state))
            return f"waiting for {names}" + (f", and for a human to approve {asked}" if asked else "")
        case Retrieve():
            return "asking the retriever"
        case FinishTurn():
            return "answering"
        case _:
            return "beginning a turn"


def tag_workflow(state: SessionState, step: Step) -> None:
    """Keep the search attributes true, where the session was started with them.

    Each change is an event, so only a change of agent and waiting for a human count, not each turn.
    """
    current = workflow.info().typed_search_attributes
    if current.get(STATUS_ATTRIBUTE) is None:
        return
    updates = []
    waits = isinstance(step, AwaitApprovals) or (isinstance(step, AwaitChildren) and bool(list_approvals(state)))
    status = STATUS_WAITING if waits else STATUS_ACTIVE
    if current.get(STATUS_ATTRIBUTE) != status:
        updates.append(STATUS_ATTRIBUTE.value_set(status))
    if state.agent is not None and current.get(AGENT_ATTRIBUTE) != (tag := agent_tag(state.agent.name)):
        updates.append(AGENT_ATTRIBUTE.value_set(tag))
    if updates:
        workflow.upsert_search_attributes(updates)
