"""The conversation that a session keeps: adding, trimming, and the window that a model call gets."""

from __future__ import annotations

from rojak.session.limits import INLINE_BYTES, KEPT_TRANSCRIPT_BYTES, size_of
from rojak.session.named import effective_settings
from rojak.session.state import SessionState
from rojak.types.activities import ContextWindow
from rojak.types.messages import ConversationMessage


def append_message(state: SessionState, message: ConversationMessage) -> None:
    """Add what was said."""
    state.transcript.append(message)
    state.transcript_bytes += size_of(message)


def replace_transcript(state: SessionState, messages: list[ConversationMessage]) -> None:
    """Keep these messages instead. Indexes go on counting: what was said keeps the index it had."""
    state.base = state.end
    state.transcript = []
    state.transcript_bytes = 0
    for message in messages:
        append_message(state, message)


def rewind(state: SessionState, end: int) -> None:
    """Forget what was said from the index ``end`` on."""
    dropped = state.transcript[end - state.base :]
    del state.transcript[end - state.base :]
    state.transcript_bytes -= sum(size_of(message) for message in dropped)


def trim(state: SessionState) -> None:
    """Drop the oldest messages beyond ``history_size`` and beyond what a payload can carry.

    The first message that stays is never the result of a tool call that went: calls and results go together.
    """
    messages = state.transcript
    settings = effective_settings(state.settings, state.agent)
    # With a compaction policy what is old is summarised, and dropped only where it would not fit.
    limit = None if settings.compaction is not None else settings.history_size
    drop = 0 if limit is None else max(0, len(messages) - limit)
    excess = state.transcript_bytes - sum(size_of(m) for m in messages[:drop]) - KEPT_TRANSCRIPT_BYTES
    while excess > 0 and drop < len(messages):
        excess -= size_of(messages[drop])
        drop += 1
    if drop:
        while drop < len(messages) and messages[drop].role == "tool":
            drop += 1
        state.transcript_bytes -= sum(size_of(message) for message in messages[:drop])
        del messages[:drop]
        state.base += drop


def read_window(state: SessionState, start: int, end: int) -> list[ConversationMessage]:
    """The messages with absolute indexes ``start`` to ``end`` (exclusive), as far as they are kept."""
    return state.transcript[max(0, start - state.base) : max(0, end - state.base)]


def build_window(state: SessionState) -> ContextWindow:
    """What the next model call sees.

    The whole conversation while it is small. Else only what came after the last message that a model generated:
    the worker that made that call has the rest in its cache, and any other one asks the session for it. So each
    message is in the history about once, however long the conversation.
    """
    messages = state.transcript
    limits = {"start": state.base, "end": state.end} if state.base else {"end": state.end}
    if state.transcript_bytes <= INLINE_BYTES:
        return ContextWindow(**limits, messages=[_lean(m) for m in messages])
    for offset in range(len(messages) - 1, -1, -1):
        message = messages[offset]
        if message.role == "assistant" and message.id is not None:
            new = [_lean(m) for m in messages[offset + 1 :]]
            return ContextWindow(**limits, previous=message.id, messages=new)
    return ContextWindow(**limits)


def _lean(message: ConversationMessage) -> ConversationMessage:
    """The message as a model needs it: without what Rojak keeps on it for people."""
    kept = {name: getattr(message, name) for name in message.model_fields_set - {"sender", "usage", "id"}}
    return ConversationMessage.model_construct(**kept)
