"""What a worker remembers of conversations, and when it asks instead."""

from __future__ import annotations

import pytest

from rojak.agents.windows import MESSAGE_BYTES, WindowCache
from rojak.types import ConversationMessage
from rojak.types.activities import ContextWindow


class Session:
    """A session that counts how often it is asked."""

    def __init__(self, messages: list[ConversationMessage]) -> None:
        self.messages = messages
        self.asked = 0

    async def fetch(self, start: int, end: int) -> list[ConversationMessage]:
        self.asked += 1
        return self.messages[start:end]


def conversation(length: int, characters: int = 400) -> list[ConversationMessage]:
    return [
        ConversationMessage(role="user", content=f"q{i}".ljust(characters, "."))
        if i % 2 == 0
        else ConversationMessage(role="assistant", content=f"a{i}".ljust(characters, "."), id=f"id{i}")
        for i in range(length)
    ]


async def test_a_window_that_came_whole_is_taken_as_it_came() -> None:
    session = Session(conversation(3))
    window = ContextWindow(start=0, end=3, messages=session.messages)
    assert await WindowCache().read("s", window, session.fetch) == session.messages
    assert session.asked == 0


async def test_what_the_cache_has_is_completed_by_what_is_new() -> None:
    session, cache = Session(conversation(5)), WindowCache()
    cache.remember("s", 0, session.messages[:4])
    window = ContextWindow(start=0, end=5, previous="id3", messages=session.messages[4:])
    assert await cache.read("s", window, session.fetch) == session.messages
    assert session.asked == 0


async def test_a_window_that_was_trimmed_since_begins_where_it_begins_now() -> None:
    session, cache = Session(conversation(5)), WindowCache()
    cache.remember("s", 0, session.messages[:4])
    window = ContextWindow(start=2, end=5, previous="id3", messages=session.messages[4:])
    assert await cache.read("s", window, session.fetch) == session.messages[2:]
    assert session.asked == 0


@pytest.mark.parametrize(
    ("session_id", "previous", "start"),
    [
        pytest.param("other", "id3", 0, id="another session"),
        pytest.param("s", "id1", 0, id="another message"),
        pytest.param("s", None, 0, id="nothing generated yet"),
    ],
)
async def test_what_the_cache_does_not_have_is_asked_of_the_session(
    session_id: str, previous: str | None, start: int
) -> None:
    session, cache = Session(conversation(5)), WindowCache()
    cache.remember("s", 0, session.messages[:4])
    window = ContextWindow(start=start, end=5, previous=previous, messages=session.messages[4:])
    assert await cache.read(session_id, window, session.fetch) == session.messages
    assert session.asked == 1


async def test_an_entry_that_does_not_fit_the_window_is_not_used() -> None:
    """A conversation that was replaced keeps counting; an old entry has too little of it."""
    session, cache = Session(conversation(9)), WindowCache()
    cache.remember("s", 4, session.messages[4:6])
    window = ContextWindow(start=0, end=9, previous="id5", messages=session.messages[8:])
    assert await cache.read("s", window, session.fetch) == session.messages
    assert session.asked == 1


async def test_the_least_recently_used_conversations_make_room() -> None:
    cache = WindowCache(max_bytes=10 * (MESSAGE_BYTES + 450))
    for name in "abc":
        cache.remember(name, 0, conversation(4))
    assert len(cache) == 2
    assert cache.size <= 10 * (MESSAGE_BYTES + 450)
    session = Session(conversation(5))
    window = ContextWindow(start=0, end=5, previous="id3", messages=session.messages[4:])
    await cache.read("a", window, session.fetch)
    await cache.read("c", window, session.fetch)
    assert session.asked == 1


def test_a_conversation_larger_than_the_cache_is_not_remembered() -> None:
    cache = WindowCache(max_bytes=4 * MESSAGE_BYTES)
    cache.remember("s", 0, conversation(4))
    assert (len(cache), cache.size) == (0, 0)


async def test_a_session_has_one_entry_however_long_it_runs() -> None:
    session, cache = Session(conversation(400)), WindowCache()
    for end in range(2, 400, 2):
        cache.remember("s", 0, session.messages[:end])
        window = ContextWindow(start=0, end=end + 1, previous=f"id{end - 1}", messages=session.messages[end : end + 1])
        await cache.read("s", window, session.fetch)
        assert (len(cache), cache.size) == (0, 0)
    assert session.asked == 0


async def test_a_session_whose_windows_come_whole_has_one_entry_too() -> None:
    """They name no message of before, so what was remembered of the session goes without being asked for."""
    session, cache = Session(conversation(4000)), WindowCache()
    for end in range(2, 4000, 2):
        window = ContextWindow(start=end - 2, end=end - 1, messages=session.messages[end - 2 : end - 1])
        await cache.read("s", window, session.fetch)
        assert (len(cache), cache.size) == (0, 0)
        cache.remember("s", end - 2, session.messages[end - 2 : end])
        assert len(cache) == 1
    assert session.asked == 0


async def test_replies_that_no_window_follows_have_one_entry_together() -> None:
    """Calls that time out answer all the same, and their turns are forgotten."""
    session, cache = Session(conversation(400)), WindowCache()
    for end in range(2, 400, 2):
        cache.remember("s", 0, session.messages[:end])
        assert len(cache) == 1
    window = ContextWindow(start=0, end=397, previous="id395", messages=session.messages[396:397])
    assert await cache.read("s", window, session.fetch) == session.messages[:397]
    assert (len(cache), cache.size) == (0, 0)
    assert session.asked == 1, "the newest entry is of another turn"


def test_a_short_conversation_leaves_nothing() -> None:
    """The session sends it whole with its next call, and a run that has ended has no next call."""
    cache = WindowCache()
    cache.remember("s", 0, conversation(4))
    for name in ("s", *map(str, range(1000))):
        cache.remember(name, 0, conversation(4, characters=100))
    assert (len(cache), cache.size) == (0, 0)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(ConversationMessage(role="assistant", content="a" * 4000 + "\U0001f600", id="x"), id="emoji"),
        pytest.param(
            ConversationMessage(role="assistant", content=[{"type": "text", "text": "a" * 20_000}], id="x"), id="parts"
        ),
        pytest.param(
            ConversationMessage(role="assistant", provider_data={"thinking": "a" * 20_000}, id="x"), id="thinking"
        ),
    ],
)
def test_what_a_message_holds_counts(message: ConversationMessage) -> None:
    cache = WindowCache()
    cache.remember("s", 0, [message])
    assert cache.size > 16_000
