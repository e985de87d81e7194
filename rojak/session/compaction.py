"""Summaries in place of old messages, between turns.

What was summarised goes, and what stays follows the summary under new indexes: no index ever names two messages, so
whoever remembers the conversation by its indexes (a worker's cache, a client) notices that it has to look again.
"""

from __future__ import annotations

from typing import Any

from rojak.session.limits import SUMMARY_CHARACTERS
from rojak.session.named import effective_settings
from rojak.session.state import Reply, SessionState
from rojak.session.steps import Summarise
from rojak.session.transcript import replace_transcript
from rojak.types.agent import Agent, AgentRef
from rojak.types.compaction import Compaction
from rojak.types.messages import ConversationMessage, Usage

#: How a summary begins, for the models that read it.
PREFIX = "Summary of the conversation before this point:\n"


def find_compaction(state: SessionState) -> Summarise | None:
    """What is to be summarised now, or None. Only asked between turns."""
    policy, agent, end = policy_of(state), state.agent, state.end
    if policy is None or state.type != "persistent" or state.summary_failed_at == end:
        return None
    if agent is None or isinstance(agent, AgentRef):
        # Of one that is only a name it is not known yet how its model is called.
        return None
    triggers = (
        (policy.trigger_messages, len(state.transcript)),
        (policy.trigger_bytes, state.transcript_bytes),
        (policy.trigger_tokens, _last_tokens(state)),
    )
    if not any(limit is not None and size > limit for limit, size in triggers):
        return None
    cut = max(0, len(state.transcript) - policy.keep_last)
    while cut < len(state.transcript) and state.transcript[cut].role == "tool":
        # A result goes where its call goes.
        cut += 1
    # One message, be it the last summary, is not worth another one.
    return Summarise(start=state.base, end=state.base + cut) if cut > 1 else None


def policy_of(state: SessionState) -> Compaction | None:
    """When and how old messages are summarised, if they are."""
    return effective_settings(state.settings, state.agent).compaction


def _last_tokens(state: SessionState) -> int:
    """Tokens of the last model call of the conversation: about what the next one will read."""
    said = (m.usage for m in reversed(state.transcript) if m.role == "assistant" and m.usage is not None)
    usage = next(said, Usage())
    return usage.total_tokens


def build_summary_agent(agent: Agent, model: str | None) -> Agent:
    """The agent with what it takes to call its model, and no more; with another model where one is given."""
    needed = agent.model_fields_set - (Agent.model_fields.keys() - {"type", "model", "name", "retry_options"})
    fields = {name: getattr(agent, name) for name in needed}
    return type(agent).model_construct(**fields | ({"model": model} if model else {}))


def take_summary(state: SessionState, start: int, end: int, text: str, usage: Usage) -> None:
    """Put the summary in the place of the messages with absolute indexes ``start`` to ``end`` (exclusive)."""
    state.usage += usage
    if state.base != start or state.end < end or state.turn is not None:
        # The conversation was replaced meanwhile.
        return
    kept = state.transcript[end - start :]
    summary = ConversationMessage(role="user", content=PREFIX + text[:SUMMARY_CHARACTERS], usage=usage)
    replace_transcript(state, [summary, *kept])
    state.summary_failed_at = state.summary_error = None
    # The first message that stays was at `end`, and follows the summary now.
    shift = state.base + 1 - end
    state.mailbox = {task_id: _shifted(reply, state.base, end, shift) for task_id, reply in state.mailbox.items()}


def _shifted(reply: Reply, base: int, end: int, shift: int) -> Reply:
    """The reply with the indexes that its messages have now, where they are still there."""
    if reply.first < end or reply.kind != "done":
        return reply
    moved: dict[str, Any] = {name: getattr(reply, name) + shift for name in ("begin", "first", "end")}
    for name in ("handoffs", "retrievals"):
        if noted := getattr(reply, name):
            moved[name] = [note.model_copy(update={"index": note.index + shift}) for note in noted]
    return reply.model_copy(update={**moved, "base": base})


def note_failure(state: SessionState, error_type: str) -> None:
    """The messages stay as they are; the next turn's end is the next try."""
    state.summary_failed_at, state.summary_error = state.end, error_type
