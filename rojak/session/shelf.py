"""Messages that a session dropped lately, for callers whose reply came before and who ask for the conversation after.

No part of the state: a session that rolls over comes without them.
"""

from __future__ import annotations

from rojak.session.limits import SHELF_BYTES, size_of
from rojak.session.state import SessionState
from rojak.session.transcript import read_window
from rojak.types.messages import ConversationMessage


class Shelf:
    """Keeps what is dropped, the newest first, as much as `SHELF_BYTES` allow."""

    def __init__(self) -> None:
        self._base = 0
        self._messages: list[ConversationMessage] = []
        self._sizes: list[int] = []

    def keep_dropped(self, base: int, messages: list[ConversationMessage], state: SessionState) -> None:
        """Take in what the session dropped.

        Args:
            base: of the session before it did.
            messages: what it kept before.
            state: the session now.
        """
        count = state.base - base
        if count == 0:
            return
        if count > len(messages) or self._base + len(self._messages) != base:
            # More went than was seen here.
            self._messages, self._sizes = [], []
        dropped = messages[:count] if count <= len(messages) else []
        self._messages += dropped
        self._sizes += [size_of(message) for message in dropped]
        while sum(self._sizes) > SHELF_BYTES:
            del self._messages[0], self._sizes[0]
        self._base = state.base - len(self._messages)

    def read(self, state: SessionState, start: int, end: int) -> list[ConversationMessage]:
        """The messages with absolute indexes ``start`` to ``end`` (exclusive), as far as they are kept or were lately.

        Without a gap: where one is missing, those before it are too.
        """
        kept = read_window(state, start, end)
        if start >= state.base:
            return kept
        last = min(end, state.base)
        return self._messages[max(0, start - self._base) : max(0, last - self._base)] + kept
