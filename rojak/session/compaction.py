"""Summaries in place of old messages: made after a turn, put in their place when the next one begins.

What was summarised goes, and what stays follows the summary under new indexes: no index ever names two messages, so
whoever remembers the conversation by its indexes (a worker's cache, a client) notices that it has to look again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rojak.session.limits import SUMMARY_CHARACTERS
from rojak.session.named import effective_settings
from rojak.session.reply import Reply
from rojak.session.state import SessionState, Summary
from rojak.session.steps import Summarise
from rojak.session.transcript import replace_transcript
from rojak.types.agent import Agent, AgentRef
from rojak.types.compaction import Compaction
from rojak.types.messages import ConversationMessage, Usage

#: Characters of one message that a summary is made from; most of what a tool returned matters little by then.
_MAX_CHARACTERS = 16_000
#: How a summary begins, for the models that read it.
PREFIX = "Summary of the conversation before this point:\n"


def find_compaction(state: SessionState) -> Summarise | None:
    """What is to be summarised now, or None. Only asked between turns."""
    policy, agent, end = policy_of(state), state.agent, state.end
    if policy is None or state.type != "persistent" or state.summary_failed_at == end or _is_current(state):
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


def note_summary(state: SessionState, summary: Summary) -> None:
    """Keep the summary for the next turn, unless the conversation was replaced meanwhile."""
    state.usage += summary.usage
    state.summary = summary.model_copy(update={"text": summary.text[:SUMMARY_CHARACTERS]})
    state.summary_failed_at = state.summary_error = None
    if not _is_current(state):
        state.summary = None


def _is_current(state: SessionState) -> bool:
    """Whether there is a summary of messages that are kept."""
    summary = state.summary
    return summary is not None and summary.start == state.base and summary.end <= state.end


def take_summary(state: SessionState) -> None:
    """A turn begins: put the summary, if there is one, in the place of what it is about."""
    summary, state.summary = state.summary, None
    if summary is None or summary.start != state.base or summary.end > state.end or policy_of(state) is None:
        return
    kept = state.transcript[summary.end - summary.start :]
    said = ConversationMessage(role="user", content=PREFIX + summary.text, usage=summary.usage)
    replace_transcript(state, [said, *kept])
    # The first message that stays was at `end`, and follows the summary now.
    shift = state.base + 1 - summary.end
    moved = {task_id: _shifted(reply, state.base, summary.end, shift) for task_id, reply in state.mailbox.items()}
    state.mailbox = moved


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


def render_conversation(messages: Sequence[ConversationMessage]) -> str:
    """The conversation as one text: no provider has rules for what comes after what in that."""
    lines = [line for message in messages for line in _render_message(message)]
    return "<conversation>\n" + "\n".join(lines) + "\n</conversation>\n\nSummarise this conversation."


def _render_message(message: ConversationMessage) -> list[str]:
    who = {"tool": "result of the tool", "assistant": message.sender or "assistant"}.get(message.role, message.role)
    text = message.text
    if len(text) > _MAX_CHARACTERS:
        text = f"{text[:_MAX_CHARACTERS]} [{len(text) - _MAX_CHARACTERS} more characters]"
    parts = message.content if isinstance(message.content, list) else []
    images = sum(part.get("type") in ("image_url", "image") for part in parts)
    lines = [f"{who}: {text}"] if text else []
    lines += [f"{who}: [shows an image]"] * images
    for call in message.tool_calls or []:
        lines.append(f"{who} calls {call.function.name}({call.function.arguments[:_MAX_CHARACTERS]})")
    return lines
