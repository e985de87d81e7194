"""What people type is checked before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from rojak.cli.arguments import arguments_object, check_text, context_of, queue_for
from rojak.cli.errors import CommandError, ExitCode
from rojak.cli.live import SessionStatus, session_query
from rojak.cli.prompts import edit_arguments, parse_choice
from rojak.manifests import task_queue_of


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1', r"no JSON: Expecting ',' delimiter \(line 1, column 8\)"),
        ("[1]", "have to be a JSON object"),
        ('{"a": NaN}', "no number NaN"),
        ("", "no JSON"),
    ],
)
def test_arguments_that_are_no_object_are_refused(text: str, said: str) -> None:
    with pytest.raises(CommandError, match=said) as caught:
        arguments_object(text)
    assert caught.value.code is ExitCode.USAGE


def test_context_is_data_where_it_is_json_and_text_elsewhere() -> None:
    pairs = ["a=1", "b=two", 'c={"d": [true]}', "e=", "f=x=y", 'g="1"']
    assert context_of(pairs) == {"a": 1, "b": "two", "c": {"d": [True]}, "e": "", "f": "x=y", "g": "1"}


def test_the_queue_of_an_agent_is_the_one_of_its_manifest() -> None:
    assert queue_for("triage", "shop", None) == task_queue_of("shop", "triage")
    assert queue_for("triage", "shop", "mine") == "mine"
    with pytest.raises(CommandError, match="empty"):
        queue_for(" ", "shop", None)


@pytest.mark.parametrize("text", ["", " \n", "\udcff"])
def test_a_message_is_text(text: str) -> None:
    with pytest.raises(CommandError):
        check_text(text)


@pytest.mark.parametrize(
    ("text", "choice"),
    [("a", "approve"), (" YES ", "approve"), ("no", "reject"), ("e", "edit"), ("", None), ("x", None)],
)
def test_answers_are_understood_in_several_words(text: str, choice: Any) -> None:
    assert parse_choice(text) == choice


def test_filters_cannot_be_broken_out_of() -> None:
    query = session_query(agent='x" OR "a" = "a', statuses=[SessionStatus.CANCELLED, SessionStatus.TIMED_OUT])
    assert r'RojakAgent = "x\" OR \"a\" = \"a"' in query
    assert query.endswith('(ExecutionStatus = "Canceled" OR ExecutionStatus = "TimedOut")')


def test_an_editor_that_fails_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "false")
    with pytest.raises(CommandError, match="'false' failed with 1; nothing was changed"):
        edit_arguments("{}")
    monkeypatch.setenv("EDITOR", "no-such-editor")
    with pytest.raises(CommandError, match="does not start"):
        edit_arguments("{}")
    monkeypatch.setenv("EDITOR", "true")
    assert edit_arguments('{"a": 1}') is None
