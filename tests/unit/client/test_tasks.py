"""What a caller passes is checked before anything is sent."""

from __future__ import annotations

import datetime
from typing import Any

import pydantic
import pytest

from rojak.client.settings import new_settings
from rojak.client.tasks import make_task
from rojak.session.state import Settings
from rojak.types import Agent, TaskParams, UpdateConfigParams
from rojak.types.errors import ConfigurationError, PayloadTooLargeError


class SomeAgent(Agent):
    type: str = "some"
    model: str = "some-model"


def params(**fields: Any) -> TaskParams:
    return TaskParams(**({"agent": SomeAgent(), "messages": [{"role": "user", "content": "Hi"}]} | fields))


def test_a_task_needs_to_be_given() -> None:
    with pytest.raises(ConfigurationError, match="task=TaskParams"):
        make_task(None, None, Settings())


def test_context_variables_of_the_call_win_over_those_of_the_task() -> None:
    task = make_task(params(context_variables={"a": 1, "b": 1}), {"b": 2}, Settings())
    assert task.context_variables == {"a": 1, "b": 2}


def test_context_variables_become_json_data() -> None:
    day = datetime.date(2026, 1, 2)
    task = make_task(params(), {"day": day, "pair": (1, 2)}, Settings())
    assert task.context_variables == {"day": "2026-01-02", "pair": [1, 2]}


def test_a_context_variable_that_is_no_data_is_named() -> None:
    with pytest.raises(ConfigurationError, match="'db' cannot be stored"):
        make_task(params(), {"fine": 1, "db": object()}, Settings())


def test_a_context_variable_needs_a_name() -> None:
    with pytest.raises(ConfigurationError, match="1 is named by a int"):
        make_task(params(), {1: "x"}, Settings())  # type: ignore[dict-item]  # what a caller without a type checker does


@pytest.mark.parametrize(
    ("part", "task", "context"),
    [
        ("messages", params(messages=[{"role": "user", "content": "x" * 500_000}]), {}),
        ("context_variables", params(), {"blob": "x" * 200_000}),
        ("agent", params(agent=SomeAgent(instructions="x" * 100_000)), {}),
    ],
)
def test_what_no_session_could_carry_is_refused_by_name(part: str, task: TaskParams, context: dict[str, Any]) -> None:
    with pytest.raises(PayloadTooLargeError, match=rf"{part}.*bytes"):
        make_task(task, context, Settings())


def test_each_task_has_an_id_of_its_own_unless_the_caller_names_it() -> None:
    assert make_task(params(), None, Settings()).id != make_task(params(), None, Settings()).id
    assert make_task(params(), None, Settings(), task_id="mine").id == "mine"


def test_settings_that_were_not_given_are_not_sent() -> None:
    assert new_settings().model_fields_set == set()
    settings = new_settings(max_turns=float("inf"), history_size=3, debug=True)
    assert (settings.max_turns, settings.history_size, settings.debug) == (None, 3, True)
    assert settings.model_fields_set == {"max_turns", "history_size", "debug"}


@pytest.mark.parametrize(
    ("messages", "complaint"),
    [
        ([{"content": "Hi"}], "message 0 has no 'role'"),
        ([{"role": "user", "content": "Hi"}, "Hi"], "message 1 is a str"),
        ("Hi", "must be a list of messages"),
        ([{"role": "boss", "content": "Hi"}], "role"),
    ],
)
def test_messages_that_are_none_are_named(messages: Any, complaint: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=complaint):
        params(messages=messages)
    with pytest.raises(pydantic.ValidationError, match=complaint):
        UpdateConfigParams(messages=messages)


def test_an_unknown_agent_type_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(pydantic.ValidationError, match=r"unknown agent type 'mystery'; known types: .*some"):
        params(agent={"type": "mystery", "model": "m"})


def test_a_misspelt_field_of_an_agent_is_an_error() -> None:
    with pytest.raises(pydantic.ValidationError, match="funtions"):
        SomeAgent(funtions=["x"])  # type: ignore[call-arg]  # the misspelling is the point
