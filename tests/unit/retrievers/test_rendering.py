"""Passages as a model reads them, and failures as operators do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from rojak.retrievers import Passage
from rojak.retrievers.qdrant import read_field
from rojak.retrievers.retrieval_activity import (
    MAX_SOURCE_CHARACTERS,
    MAX_SOURCES,
    describe_failure,
    render_passages,
)
from rojak.session.limits import RETRIEVED_BYTES
from rojak.types.errors import ConfigurationError, RetrievalError


def test_each_passage_follows_its_source_and_each_source_is_named_once() -> None:
    rendered = render_passages([Passage("one", "a.md"), Passage("two", "b.md"), Passage("three", "a.md")])
    assert rendered.text == "[a.md] one\n\n[b.md] two\n\n[a.md] three"
    assert rendered.sources == ["a.md", "b.md"]


def test_nothing_found_is_no_failure() -> None:
    assert render_passages([]).text == ""


@given(st.lists(st.text(max_size=30), max_size=5), st.integers(0, 6_000), st.sampled_from(["x", "\x00", "ü", '"', "𝄞"]))
def test_it_always_has_room_in_a_session(texts: list[str], repeated: int, letter: str) -> None:
    passages = [Passage(text + letter * repeated, f"source {n}\n{text}") for n, text in enumerate(texts)]
    rendered = render_passages(passages * 10)
    assert rendered.text is not None
    assert len(to_json(rendered.text)) <= RETRIEVED_BYTES
    assert len(rendered.sources) <= MAX_SOURCES
    assert all(len(source) <= MAX_SOURCE_CHARACTERS and "\n" not in source for source in rendered.sources)


def test_what_does_not_fit_is_cut_and_not_left_out() -> None:
    rendered = render_passages([Passage("x" * 100_000, "big"), Passage("small", "other")])
    assert rendered.text is not None
    assert len(rendered.text) > RETRIEVED_BYTES - 200
    assert rendered.sources == ["big"]


def test_what_is_no_passage_is_named() -> None:
    with pytest.raises(TypeError, match="Passage objects or a text, not dict"):
        render_passages([{"text": "x"}])  # type: ignore[list-item]


@pytest.mark.parametrize("error", [ConfigurationError("mend it"), RetrievalError("mend it")])
def test_texts_written_for_operators_are_shown(error: Exception) -> None:
    assert describe_failure(error).reason == "mend it"


def test_other_texts_are_not() -> None:
    failure = describe_failure(LookupError("the user said: secret"))
    assert failure.error_type == "LookupError"
    assert "secret" not in failure.model_dump_json()


def test_fields_are_found_by_their_path() -> None:
    payload = {"a": {"b": {"c": 1}}, "x.y": 2, "x": {"y": 3}}
    assert read_field(payload, "a.b.c") == 1
    assert read_field(payload, "x.y") == 2
    assert read_field(payload, "a.z.c") is None
