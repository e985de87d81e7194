"""The conversations that a worker remembers, so that a model call needs to be sent only what is new.

A cache and nothing more: what is not in it is asked of the session, which has it all. Entries are found by the id of
the message that ended the conversation then; a turn that failed and was forgotten leaves an entry that nobody names.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from rojak.types.activities import ContextWindow
from rojak.types.messages import ConversationMessage

#: What all entries together may hold. A message object takes about 2 KiB besides its text.
MAX_MESSAGES = 8_000
MAX_CHARACTERS = 16 * 1024 * 1024

FetchWindow = Callable[[int, int], Awaitable[list[ConversationMessage]]]


@dataclass(slots=True)
class _Entry:
    start: int
    messages: list[ConversationMessage]
    characters: int


class WindowCache:
    """Conversations by session and last generated message; the least recently used ones make room."""

    def __init__(self, max_messages: int = MAX_MESSAGES, max_characters: int = MAX_CHARACTERS) -> None:
        self._entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()
        self._max_messages = max_messages
        self._max_characters = max_characters
        self._messages = 0
        self._characters = 0

    def __len__(self) -> int:
        return len(self._entries)

    async def read(self, session_id: str, window: ContextWindow, fetch: FetchWindow) -> list[ConversationMessage]:
        """The whole window: as sent, or completed from the cache, or fetched as ``fetch(start, end)``.

        The entry that it is completed from is taken out: the next call of the session has a longer one.
        """
        wanted = window.end - window.start
        entry = self._take((session_id, window.previous)) if window.previous else None
        if len(window.messages) == wanted:
            return list(window.messages)
        if entry is not None and entry.start <= window.start:
            messages = entry.messages[window.start - entry.start :] + window.messages
            if len(messages) == wanted:
                return messages
        return await fetch(window.start, window.end)

    def remember(self, session_id: str, start: int, messages: list[ConversationMessage]) -> None:
        """Keep a conversation that begins at the absolute index ``start`` and ends with a message that has an id."""
        last = messages[-1].id
        if last is None:
            return
        characters = sum(map(_characters, messages))
        if characters > self._max_characters or len(messages) > self._max_messages:
            return
        self._take((session_id, last))
        self._entries[session_id, last] = _Entry(start, messages, characters)
        self._messages += len(messages)
        self._characters += characters
        while self._messages > self._max_messages or self._characters > self._max_characters:
            self._take(next(iter(self._entries)))

    def _take(self, key: tuple[str, str]) -> _Entry | None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._messages -= len(entry.messages)
            self._characters -= entry.characters
        return entry


def _characters(message: ConversationMessage) -> int:
    text = message.content if isinstance(message.content, str) else repr(message.content or "")
    return len(text) + sum(len(call.function.arguments) for call in message.tool_calls or [])
