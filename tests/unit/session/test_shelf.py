"""What a session dropped lately can still be read, in a bounded amount and never with a gap."""

from __future__ import annotations

from rojak.session.limits import SHELF_BYTES
from rojak.session.shelf import Shelf
from rojak.session.state import SessionState
from rojak.session.transcript import append_message, replace_transcript
from rojak.types import ConversationMessage


def said(text: str) -> ConversationMessage:
    return ConversationMessage(role="user", content=text)


def drop(shelf: Shelf, state: SessionState, count: int) -> None:
    base, before = state.base, list(state.transcript)
    del state.transcript[:count]
    state.base += count
    shelf.keep_dropped(base, before, state)


def texts(shelf: Shelf, state: SessionState, start: int, end: int) -> list[str]:
    return [message.text for message in shelf.read(state, start, end)]


def session(count: int, text: str = "{}") -> SessionState:
    state = SessionState()
    for number in range(count):
        append_message(state, said(text.format(number)))
    return state


def test_dropped_messages_are_read_as_if_they_were_there() -> None:
    shelf, state = Shelf(), session(10)
    assert texts(shelf, state, 2, 5) == ["2", "3", "4"]
    drop(shelf, state, 3)
    drop(shelf, state, 4)
    assert texts(shelf, state, 0, 10) == [str(number) for number in range(10)]
    assert texts(shelf, state, 2, 5) == ["2", "3", "4"]
    assert texts(shelf, state, 5, 8) == ["5", "6", "7"]
    assert texts(shelf, state, 8, 10) == ["8", "9"]
    assert texts(shelf, state, 3, 3) == []


def test_replaced_messages_are_there_under_their_old_indexes() -> None:
    shelf, state = Shelf(), session(3)
    base, before = state.base, list(state.transcript)
    replace_transcript(state, [said("new")])
    shelf.keep_dropped(base, before, state)
    assert texts(shelf, state, 1, 4) == ["1", "2", "new"]


def test_the_newest_are_kept_and_not_more_than_fits() -> None:
    shelf, state = Shelf(), session(10, "{} " + "x" * (SHELF_BYTES // 5))
    drop(shelf, state, 10)
    kept = texts(shelf, state, 0, 10)
    assert [text[0] for text in kept] == ["6", "7", "8", "9"]


def test_nothing_is_read_across_a_gap() -> None:
    shelf, state = Shelf(), session(4)
    drop(shelf, state, 2)
    # A session that rolled over begins with an empty shelf.
    later = Shelf()
    assert texts(later, state, 0, 4) == ["2", "3"]
    drop(later, state, 1)
    assert texts(later, state, 0, 4) == ["2", "3"]
    # More went than there was: a summary took new indexes and went as well.
    base, before = state.base, list(state.transcript)
    state.base, state.transcript = base + 5, [said("8")]
    later.keep_dropped(base, before, state)
    assert texts(later, state, 0, 9) == ["8"]
