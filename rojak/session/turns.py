"""How a turn begins, and the ways in which it ends: answered, failed, taken back with the whole session."""

from __future__ import annotations

from typing import Any

from rojak.session.budget import deadline_of, find_limit
from rojak.session.compaction import take_summary
from rojak.session.delegation import (
    drop_children,
)
from rojak.session.mailbox import post_reply
from rojak.session.named import (
    as_seen_outside,
    drop_definitions,
    effective_settings,
    enter_agent,
    keep_definition,
    wants_refresh,
)
from rojak.session.reply import Reply
from rojak.session.state import SessionState
from rojak.session.transcript import append_message, rewind, trim
from rojak.session.turn import Turn
from rojak.types.agent import Agent
from rojak.types.messages import Usage


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


def begin_turn(state: SessionState, now: float) -> None:
    """Begin with the task that came first: its messages, its agent, its settings."""
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
        fail_turn(state, "ConfigurationError", "the session has no agent yet: TaskParams(agent=...)")


def is_answered(state: SessionState, turn: Turn) -> bool:
    """Whether the turn's last message is the model's, all of whose calls (if any) are settled: so it has none."""
    return state.end > turn.first and state.transcript[-1].role == "assistant"


def finish_turn(state: SessionState) -> None:
    """The turn is over: leave its reply for the caller."""
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
        "limit": None if is_answered(state, turn) else find_limit(state, turn),
    }
    # Replies are in the history, one for each turn: what has its default is left out.
    changed = {name: value for name, value in fields.items() if value != Reply.model_fields[name].default}
    post_reply(state, Reply(kind="done", task_id=turn.task_id, **changed))


def fail_turn(state: SessionState, error_type: str, reason: str) -> None:
    """Take the turn back and tell the caller. Tokens stay counted: they are spent."""
    turn = current_turn(state)
    take_back(state, turn)
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


def take_back(state: SessionState, turn: Turn) -> None:
    """Put the session back to where it was before the turn."""
    drop_children(state, turn)
    rewind(state, turn.begin)
    state.agent = turn.agent_before
    state.context_variables = turn.context_before
    state.turn = None


def cancel_session(state: SessionState) -> None:
    """Answer everybody who waits: the session ends."""
    open_tasks = [state.turn.task_id] if state.turn else []
    open_tasks += [task.id for task in state.queue]
    if state.turn is not None:
        take_back(state, state.turn)
    state.queue = []
    for task_id in open_tasks:
        post_reply(state, Reply(kind="cancelled", task_id=task_id, base=state.base))
