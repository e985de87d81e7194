"""Arguments that cannot be right are refused at once, by one error that names them."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest

from rojak import Rojak
from rojak.agents import AgentExecuteFnResult, Interrupt
from rojak.client.checks import check_id, check_timeout
from rojak.client.settings import new_settings
from rojak.client.tasks import make_task, storable
from rojak.session.state import Settings
from rojak.types import Agent, RetryOptions, RetryPolicy, TaskParams
from rojak.types.errors import ConfigurationError


@pytest.mark.parametrize("given", ["", None, 7, "x" * 1001])
def test_an_id_is_text_that_the_server_takes(given: Any) -> None:
    with pytest.raises(ConfigurationError, match="task_id is .*1 to 1000 characters"):
        check_id("task_id", given)
    assert check_id("task_id", "x" * 1000)


@pytest.mark.parametrize("given", [-1, 0, float("nan"), "5", True])
def test_a_timeout_is_seconds(given: Any) -> None:
    with pytest.raises(ConfigurationError, match="timeout=.*seconds"):
        check_timeout(given)
    assert check_timeout(2.5) == 2.5
    assert check_timeout(float("inf")) is None


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"deep": [float("nan")]}, r"\['given'\]\['deep'\]\[0\] is nan"),
        (float("inf"), "inf"),
        (b"\xff", "bytes"),
        ("\ud800", "half a character"),
        ({"a": {1: "x"}}, "keys must be strings"),
        (object(), "object"),
    ],
)
def test_a_context_variable_that_json_would_change_is_refused(value: Any, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'given' cannot be stored as JSON.*{complaint}"):
        storable({"fine": 1, "given": value})


def test_a_context_variable_that_contains_itself_is_refused() -> None:
    endless: dict[str, Any] = {}
    endless["again"] = endless
    with pytest.raises(ConfigurationError, match="'again' cannot be stored.*contains itself"):
        storable(endless)


@pytest.mark.parametrize("given", [[1], "x", 3])
def test_context_variables_are_a_dictionary(given: Any) -> None:
    with pytest.raises(ConfigurationError, match="give a dictionary"):
        storable(given)


def test_a_task_is_task_params_that_can_be_sent() -> None:
    message = {"role": "user", "content": "half \ud800"}
    with pytest.raises(ConfigurationError, match="task is a dict; give TaskParams"):
        make_task({"messages": [message]}, None, Settings())  # type: ignore[arg-type]  # what callers do
    with pytest.raises(ConfigurationError, match="cannot be sent as JSON.*surrogates"):
        make_task(TaskParams(messages=[message]), None, Settings())


@pytest.mark.parametrize("given", [{"max_turns": 1.5}, {"run_timeout": 1e300}])
def test_a_limit_that_no_session_could_keep_is_refused(given: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(given))):
        new_settings(**given)


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), 1e300, 0, -1])
def test_a_time_that_no_workflow_could_wait_is_refused(seconds: float) -> None:
    # Accepted, it would fail in the session instead, again and again, and its caller would wait for ever.
    for make in (
        lambda: RetryOptions(timeout_in_seconds=seconds),
        lambda: RetryPolicy(initial_interval_in_seconds=seconds),
        lambda: RetryPolicy(maximum_interval_in_seconds=seconds),
        lambda: RetryPolicy(backoff_coefficient=seconds),
        lambda: Interrupt("pay", timeout_in_seconds=seconds),
    ):
        with pytest.raises(pydantic.ValidationError, match="Input should be"):
            make()


def test_attempts_that_cannot_be_counted_are_refused() -> None:
    with pytest.raises(pydantic.ValidationError, match="maximum_attempts"):
        RetryPolicy(maximum_attempts=10**10)


@pytest.mark.parametrize("client", [None, "localhost:7233", AgentExecuteFnResult()])
def test_a_client_that_is_not_connected_is_named_with_the_remedy(client: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"await Client.connect.*not a"):
        Rojak(client, task_queue="q")


def test_agents_are_told_from_anything_else() -> None:
    with pytest.raises(pydantic.ValidationError, match="instance of Agent"):
        TaskParams(agent="A", messages=[])  # type: ignore[arg-type]  # what callers do
    assert Agent(type="openai", model="m").name == "Agent"
