"""What came of tool calls becomes the conversation: results in the model's order, changes of the context, hand-offs."""

from __future__ import annotations

from typing import Any

from rojak.session.approvals import waiting_calls
from rojak.session.delegation import (
    hold_outcome,
    room_in_turn,
)
from rojak.session.limits import CONTEXT_BYTES, size_of
from rojak.session.named import (
    enter_agent,
    keep_definition,
)
from rojak.session.patches import apply_patch
from rojak.session.state import SessionState
from rojak.session.transcript import append_message
from rojak.session.turn import CallOutcome, HandOff, PendingCall, ToolRejected, Turn
from rojak.session.turns import (
    active_agent,
    current_turn,
)
from rojak.types.activities import ToolFailed
from rojak.types.agent import Agent, AgentRef
from rojak.types.messages import ConversationMessage, Usage


def take_outcomes(state: SessionState, outcomes: dict[str, CallOutcome]) -> None:
    """Take in what came of calls, by their ids."""
    turn = current_turn(state)
    for pending in turn.calls:
        if pending.outcome is None and pending.call.id in outcomes:
            pending.outcome = hold_outcome(state, turn, outcomes[pending.call.id])
    settle_calls(state)


def settle_calls(state: SessionState) -> None:
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
