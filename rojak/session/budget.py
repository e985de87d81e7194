"""What one run may use up: messages, tool calls, tokens, time.

A run that comes to a limit is no failure. It ends with what there is, says which limit it was, and leaves a
conversation that can go on: every tool call has a result, be it that the call was not made.
"""

from __future__ import annotations

from rojak.session.state import SessionState
from rojak.session.task import Settings
from rojak.session.turn import ToolRejected, Turn
from rojak.types.session import LimitReached


def deadline_of(settings: Settings, now: float) -> float | None:
    """When the time of a turn is over that begins now; seconds since the epoch, both."""
    return None if settings.run_timeout is None else now + settings.run_timeout


def find_limit(state: SessionState, turn: Turn) -> LimitReached | None:
    """The limit that keeps the model from being called again in this turn, or None."""
    if turn.limit is not None:
        return turn.limit
    generated = state.end - turn.first
    if turn.max_turns is not None and generated >= turn.max_turns:
        return LimitReached(kind="max_turns", limit=turn.max_turns, used=generated)
    return _find_token_limit(turn)


def _find_token_limit(turn: Turn) -> LimitReached | None:
    used = turn.usage.total_tokens
    if turn.max_tokens_total is None or used < turn.max_tokens_total:
        return None
    return LimitReached(kind="max_tokens_total", limit=turn.max_tokens_total, used=used)


def admit_calls(turn: Turn) -> None:
    """Let through as many of the calls that the model just asked for as the limits have room for.

    The others are answered here. Where there are such, the turn ends when the first ones have been made: a model that
    is out of calls would ask for the same again.
    """
    room, limit = len(turn.calls), _find_token_limit(turn)
    if limit is not None:
        # No model will see the results any more.
        room = 0
    elif turn.max_tool_calls is not None and turn.tool_calls + room > turn.max_tool_calls:
        room = max(0, turn.max_tool_calls - turn.tool_calls)
        limit = LimitReached(kind="max_tool_calls", limit=turn.max_tool_calls, used=turn.tool_calls + room)
    turn.tool_calls += room
    if limit is None or not turn.calls:
        return
    turn.limit = limit
    for pending in turn.calls[room:]:
        pending.waiting = False
        pending.outcome = ToolRejected(feedback=f"Not made: this run reached its limit {_name(limit)}.")


def end_for_time(turn: Turn, in_progress: set[str], now: float) -> None:
    """The turn's time is over: answer what is still open. ``in_progress`` are ids of calls that had begun."""
    allowed = turn.run_timeout or 0.0
    used = now - (turn.deadline or now) + allowed
    turn.limit = LimitReached(kind="run_timeout", limit=allowed, used=max(used, allowed))
    for pending in turn.calls:
        if pending.outcome is not None:
            continue
        pending.waiting = False
        said = "Broken off; it may have had an effect" if pending.call.id in in_progress else "Not made"
        pending.outcome = ToolRejected(feedback=f"{said}: this run reached its limit {_name(turn.limit)}.")


def _name(limit: LimitReached) -> str:
    unit = {"max_turns": "messages", "max_tool_calls": "tool calls", "max_tokens_total": "tokens"}.get(limit.kind, "s")
    return f"{limit.kind} ({limit.limit:g} {unit})"
