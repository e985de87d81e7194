"""The conversations that a worker remembers, so that a model call needs to be sent only what is new.

A cache and nothing more: what is not in it is asked of the session, which has it all. A session has one entry, since
it goes on from its newest message alone; the id of that message says whether the entry is what a window builds on. A
turn that failed and was forgotten leaves an entry that fits no window, until the next reply takes its place.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from rojak.session.limits import INLINE_BYTES, size_of
from rojak.types.activities import ContextWindow
from rojak.types.messages import ConversationMessage

#: What all entries together may take, in bytes of memory.
MAX_BYTES = 16 * 1024 * 1024
#: What a message takes besides its text: 0.65 KiB if plain, 1.15 with a tool call (measured with pydantic 2.14).
MESSAGE_BYTES = 1024
#: A conversation with less text than this is not worth an entry: the session sends it whole the next time too. The
#: session counts ids, tokens and names as well and stops at `INLINE_BYTES`, hence far below that.
SMALL_BYTES = INLINE_BYTES // 4

FetchWindow = Callable[[int, int], Awaitable[list[ConversationMessage]]]


@dataclass(slots=True, frozen=True)
class _Entry:
    last: str
    start: int
    messages: list[ConversationMessage]
    size: int


class WindowCache:
    """The conversation of each session up to its last generated message; the least recently used ones make room.

    Args:
        max_bytes: of memory that all of them together may take, about.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._max_bytes = max_bytes
        self._size = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """Bytes of memory that the entries take, about."""
        return self._size

    async def read(self, session_id: str, window: ContextWindow, fetch: FetchWindow) -> list[ConversationMessage]:
        """The whole window: as sent, or completed from the cache, or fetched as ``fetch(start, end)``.

        The session's entry is taken out: the reply to this call makes a longer one.
        """
        wanted = window.end - window.start
        entry = self._take(session_id)
        if len(window.messages) == wanted:
            return list(window.messages)
        if entry is not None and entry.last == window.previous and entry.start <= window.start:
            messages = entry.messages[window.start - entry.start :] + window.messages
            if len(messages) == wanted:
                return messages
        return await fetch(window.start, window.end)

    def remember(self, session_id: str, start: int, messages: list[ConversationMessage]) -> None:
        """Keep a conversation that begins at the absolute index ``start`` and ends with a message that has an id.

        It takes the place of what was remembered of the session, also where it is not worth an entry itself.
        """
        self._take(session_id)
        last = messages[-1].id
        text = sum(map(_text_bytes, messages))
        size = text + MESSAGE_BYTES * len(messages)
        if last is None or text < SMALL_BYTES or size > self._max_bytes:
            return
        self._entries[session_id] = _Entry(last, start, messages, size)
        self._size += size
        while self._size > self._max_bytes:
            self._take(next(iter(self._entries)))

    def _take(self, session_id: str) -> _Entry | None:
        entry = self._entries.pop(session_id, None)
        if entry is not None:
            self._size -= entry.size
        return entry


def _text_bytes(message: ConversationMessage) -> int:
    """Bytes of memory of what was said. A single emoji makes each character of a text take four."""
    content = message.content
    total = sys.getsizeof(content) if isinstance(content, str) else sum(map(size_of, content or []))
    if message.provider_data:
        total += size_of(message.provider_data)
    return total + sum(sys.getsizeof(call.function.arguments) for call in message.tool_calls or [])
