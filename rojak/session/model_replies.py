"""What a model said becomes the conversation, and the calls that it asks for."""

from __future__ import annotations

from rojak.session.approvals import hold_for_approval, list_approvals, post_approvals, waiting_calls
from rojak.session.budget import admit_calls
from rojak.session.limits import CONTEXT_BYTES, TURN_TRANSCRIPT_BYTES, size_of
from rojak.session.misfits import correction, describe_misfit
from rojak.session.named import (
    take_definition,
)
from rojak.session.results import settle_calls
from rojak.session.retrieval import take_retrieved
from rojak.session.routing import find_route, offered_names
from rojak.session.state import SessionState
from rojak.session.transcript import append_message
from rojak.session.turn import PendingCall
from rojak.session.turns import (
    active_agent,
    current_turn,
    fail_turn,
)
from rojak.types.activities import OutputProblem, Refreshed, ToolFailed
from rojak.types.agent import Agent
from rojak.types.messages import ConversationMessage, ToolCall, Usage


def take_refreshed(state: SessionState, refreshed: Refreshed | None, now: float) -> bool:
    """Take in what the worker knows newer. False when the turn failed over it."""
    turn = current_turn(state)
    turn.refresh = False
    if refreshed is None:
        return True
    state.catalog = refreshed.catalog or state.catalog
    if refreshed.agent is None:
        return True
    if not take_definition(state, turn, refreshed.agent):
        fail_turn(
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


def take_model_reply(state: SessionState, message: ConversationMessage, now: float) -> None:
    """Append the message; what it calls is pending, waits for a human, or is settled already."""
    turn, agent = current_turn(state), active_agent(state)
    if message.sender is None:
        message = message.model_copy(update={"sender": agent.name})
    turn.step += 1
    turn.usage += message.usage or Usage()
    state.usage += message.usage or Usage()
    append_message(state, message)
    if state.transcript_bytes > TURN_TRANSCRIPT_BYTES:
        fail_turn(
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
        fail_turn(state, "ConversationTooLongError", reason)
        return
    admit_calls(turn)
    if waiting_calls(turn):
        post_approvals(state)
    else:
        settle_calls(state)


def _size_with_calls(state: SessionState) -> int:
    """Bytes of the conversation, and of what is kept of calls beside it: for making them, and for asking humans."""
    calls = [] if state.turn is None else state.turn.calls
    return state.transcript_bytes + sum(size_of(kept) for kept in (*calls, *list_approvals(state)))


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


def take_problem(state: SessionState, problem: OutputProblem) -> None:
    """Tell the model what does not fit in its answer, or give up."""
    turn, agent = current_turn(state), active_agent(state)
    turn.misfits += 1
    if turn.misfits > agent.output_retries:
        reason = describe_misfit(agent.name, problem, turn.misfits)
        fail_turn(state, "OutputValidationError", reason)
        return
    append_message(state, ConversationMessage(role="user", content=correction(problem)))
