"""What a session stores of a call: text, changes, hand-overs; never more than it can carry."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from rojak.session.patches import apply_patch
from rojak.tools import MAX_OUTPUT_BYTES, MAX_PATCH_BYTES, PREVIEW_BYTES, execute_function, specify
from rojak.tools.results import copy_json
from rojak.types.activities import PatchOperation, ToolFailed, ToolOutcome, ToolReturned
from rojak.types.agent import Agent, AgentExecuteFnResult

sales = Agent(type="test", model="m", name="Sales Agent")


async def run(function: Any, context: dict[str, Any] | None = None) -> ToolOutcome:
    return await execute_function(specify(function), "{}", context or {}, timeout=10)


async def outcome_of(result: Any) -> ToolOutcome:
    def function():
        return result

    return await run(function)


class Pizza(BaseModel):
    name: str
    price: Decimal = Decimal("9.50")


@dataclass
class Point:
    x: int


class Pair(NamedTuple):
    a: int
    b: str


class Colour(str, Enum):  # noqa: UP042 - older code has them, and their str() is not their value
    RED = "red"


class Shade(StrEnum):
    DARK = "dark"


class Named:
    def __str__(self) -> str:
        return "by name"


@pytest.mark.parametrize(
    ("result", "output"),
    [
        ("as it is", "as it is"),
        ("", ""),
        (None, "None"),
        (5, "5"),
        (2.5, "2.5"),
        (True, "True"),
        (Named(), "by name"),
        (date(2026, 11, 24), "2026-11-24"),
        (Decimal("1.10"), "1.10"),
        (Colour.RED, "red"),
        (Shade.DARK, "dark"),
        ("grüß".encode(), "grüß"),
        (b"\xff", "\N{REPLACEMENT CHARACTER}"),
        (MappingProxyType({"a": 1}), "{'a': 1}"),
        ("half \ud800", "half ?"),
    ],
    ids=repr,
)
async def test_a_result_is_cast_to_text(result: Any, output: str):
    assert await outcome_of(result) == ToolReturned(output=output)


@pytest.mark.parametrize(
    ("result", "value"),
    [
        ({"a": [1, None, True, "ü"]}, {"a": [1, None, True, "ü"]}),
        ([1, "a"], [1, "a"]),
        ((1, "a"), [1, "a"]),
        (Pair(1, "a"), [1, "a"]),
        ({1}, [1]),
        (Pizza(name="ham"), {"name": "ham", "price": "9.50"}),
        ([Pizza(name="ham")], [{"name": "ham", "price": "9.50"}]),
        (Point(1), {"x": 1}),
        ({"when": date(2026, 11, 24)}, {"when": "2026-11-24"}),
        ({"it": Named()}, {"it": "by name"}),
        ({1: "a"}, {"1": "a"}),
    ],
    ids=repr,
)
async def test_a_structured_result_becomes_json(result: Any, value: Any):
    outcome = await outcome_of(result)
    assert isinstance(outcome, ToolReturned)
    assert json.loads(outcome.output) == value


async def test_a_result_that_json_cannot_hold_is_told_as_python_shows_it():
    ring: list[Any] = [1]
    ring.append(ring)
    assert await outcome_of(ring) == ToolReturned(output="[1, [...]]")
    assert await outcome_of([b"\xff"]) == ToolReturned(output="[b'\\xff']")
    outcome = await outcome_of([Unprintable()])
    assert isinstance(outcome, ToolReturned)
    assert "Unprintable object" in outcome.output


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


def numbers():
    yield 1


async def async_numbers():
    yield 1


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (Unprintable(), "The function returned a Unprintable that cannot be turned into text: RuntimeError: no text"),
        (numbers(), "The function returned a generator."),
        (async_numbers(), "The function returned a generator."),
        (AgentExecuteFnResult(output=numbers()), "The function returned a generator."),
    ],
)
async def test_a_result_that_is_no_answer_is_an_error(result: Any, message: str):
    outcome = await outcome_of(result)
    assert isinstance(outcome, ToolFailed)
    assert outcome.error_type == "ToolResultError"
    assert outcome.message.startswith(message)


async def test_an_agent_hands_over():
    outcome = await outcome_of(sales)
    assert outcome == ToolReturned(output='{"assistant": "Sales Agent"}', agent=sales)


@pytest.mark.parametrize(
    ("result", "output"),
    [
        (AgentExecuteFnResult(output="Done", agent=sales), "Done"),
        (AgentExecuteFnResult(output="", agent=sales), ""),
        (AgentExecuteFnResult(agent=sales), '{"assistant": "Sales Agent"}'),
        (AgentExecuteFnResult(output=sales), '{"assistant": "Sales Agent"}'),
    ],
    ids=["text", "empty", "none", "as output"],
)
async def test_a_full_result_hands_over_with_an_answer(result: AgentExecuteFnResult, output: str):
    assert await outcome_of(result) == ToolReturned(output=output, agent=sales)


@pytest.mark.parametrize("output", [{"a": 1}, Pizza(name="ham")])
async def test_the_output_of_a_full_result_is_cast_too(output: Any):
    outcome = await outcome_of(AgentExecuteFnResult(output=output))
    assert isinstance(outcome, ToolReturned)
    assert isinstance(json.loads(outcome.output), dict)


async def test_a_full_result_does_all_three():
    def talk_to_sales(context_variables):
        return AgentExecuteFnResult(
            output="Done", agent=sales, context_variables={**context_variables, "department": "sales"}
        )

    assert await run(talk_to_sales, {"user_name": "John"}) == ToolReturned(
        output="Done", agent=sales, patch=[PatchOperation(path=["department"], value="sales")]
    )


async def test_an_agent_that_is_too_large_is_an_error():
    large = Agent(type="test", model="m", name="Big", instructions="x" * 100_000)
    outcome = await outcome_of(large)
    assert isinstance(outcome, ToolFailed)
    assert "The agent 'Big' to hand over to has" in outcome.message


async def test_an_agent_that_is_no_json_is_an_error():
    outcome = await outcome_of(Agent(type="test", model="m", name="Odd", tool_choice=object()))
    assert isinstance(outcome, ToolFailed)
    assert "The agent 'Odd' to hand over to cannot be sent as JSON" in outcome.message


async def test_changes_in_place_count():
    def function(context_variables):
        context_variables["a"]["x"] += 1
        context_variables["list"].append(3)
        del context_variables["gone"]

    context = {"a": {"x": 1, "y": 2}, "list": [1], "gone": 1}
    before = copy.deepcopy(context)
    outcome = await run(function, context)
    assert isinstance(outcome, ToolReturned)
    assert context == before
    assert apply_patch(context, outcome.patch) == {"a": {"x": 2, "y": 2}, "list": [1, 3]}
    assert PatchOperation(path=["a", "x"], value=2) in outcome.patch


async def test_changes_in_place_count_where_a_full_result_leaves_the_context_out():
    def function(context_variables):
        context_variables["n"] = 1
        return AgentExecuteFnResult(output="Done")

    outcome = await run(function)
    assert outcome == ToolReturned(output="Done", patch=[PatchOperation(path=["n"], value=1)])


async def test_a_returned_context_replaces_the_one_changed_in_place():
    def function(context_variables):
        context_variables["n"] = 1
        return AgentExecuteFnResult(context_variables={"m": 2})

    outcome = await run(function, {"old": 0})
    assert isinstance(outcome, ToolReturned)
    assert apply_patch({"old": 0}, outcome.patch) == {"m": 2}


async def test_a_function_that_takes_no_context_can_return_one():
    outcome = await outcome_of(AgentExecuteFnResult(context_variables={"m": 2}))
    assert outcome == ToolReturned(output="", patch=[PatchOperation(path=["m"], value=2)])


async def test_values_that_json_does_not_know_are_converted():
    values = {
        "model": Pizza(name="ham"),
        "point": Point(1),
        "day": date(2026, 11, 24),
        "colour": Colour.RED,
        "pair": Pair(1, "a"),
        "nested": [{"s": {1}}],
        Colour.RED: 1,
    }

    def function(context_variables):
        context_variables.update(values)

    outcome = await run(function)
    assert isinstance(outcome, ToolReturned)
    after = apply_patch({}, outcome.patch)
    assert after == {
        "model": {"name": "ham", "price": "9.50"},
        "point": {"x": 1},
        "day": "2026-11-24",
        "colour": "red",
        "pair": [1, "a"],
        "nested": [{"s": [1]}],
        "red": 1,
    }
    assert json.loads(json.dumps(after)) == after


def nest(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("key", "value", "where"),
    [
        ("db", Named(), "context_variables['db'] is a Named, which is no JSON value"),
        ("a", {"b": [1, {"c": Named()}]}, "context_variables['a']['b'][1]['c'] is a Named"),
        ("score", float("nan"), "context_variables['score'] is nan, which JSON does not know"),
        ("score", [float("inf")], "context_variables['score'][0] is inf"),
        ("a", {1: "x"}, "context_variables['a'] has the key 1 of type int; keys must be strings"),
        (3, "x", "context_variables has the key 3 of type int"),
        ("text", "\ud800", "context_variables['text'] is text with half a character"),
        ("deep", nest(100_000), "nested too deeply"),
    ],
    ids=lambda value: str(value)[:20] if not isinstance(value, list) else "list",
)
async def test_a_context_that_is_no_json_is_an_error_that_names_the_key(key: Any, value: Any, where: str):
    def function(context_variables):
        context_variables[key] = value

    outcome = await run(function, {"kept": 1})
    assert isinstance(outcome, ToolFailed)
    assert outcome.error_type == "ToolResultError"
    assert outcome.message.startswith("The call was made, but its changes of the context variables were dropped: ")
    assert where in outcome.message


async def test_a_context_that_contains_itself_is_an_error():
    def function(context_variables):
        context_variables["me"] = context_variables

    outcome = await run(function)
    assert isinstance(outcome, ToolFailed)
    assert "contain themselves" in outcome.message


@pytest.mark.parametrize("letter", ["x", "ü", "€", "😀"])
@pytest.mark.parametrize("extra", [0, 1])
async def test_an_output_above_the_limit_is_cut_to_a_preview(letter: str, extra: int):
    width = len(letter.encode())
    text = letter * (MAX_OUTPUT_BYTES // width) + "y" * (extra * 4)
    outcome = await outcome_of(text)
    assert isinstance(outcome, ToolReturned)
    if not extra:
        assert outcome.output == text
        return
    size = len(text.encode())
    note = f"\n[cut: the output has {size} bytes; these are the first {PREVIEW_BYTES}]"
    assert outcome.output == letter * (PREVIEW_BYTES // width) + note


async def test_a_change_above_the_limit_is_an_error_that_names_both_sizes():
    def function(context_variables):
        context_variables["page"] = "x" * MAX_PATCH_BYTES

    outcome = await run(function)
    assert isinstance(outcome, ToolFailed)
    told = re.search(r"they have (\d+) bytes of JSON, and at most (\d+) can be kept", outcome.message)
    assert told is not None
    assert int(told[1]) > int(told[2]) == MAX_PATCH_BYTES


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
contexts = st.dictionaries(st.text(max_size=2), json_values, max_size=4)


@given(before=contexts, after=contexts, returned=st.booleans())
async def test_any_json_that_a_function_leaves_behind_arrives(
    before: dict[str, Any], after: dict[str, Any], returned: bool
):
    def function(context_variables):
        if returned:
            return AgentExecuteFnResult(context_variables=after)
        context_variables.clear()
        context_variables.update(after)
        return None

    outcome = await run(function, before)
    assert isinstance(outcome, ToolReturned)
    assert apply_patch(before, outcome.patch) == after


@given(value=contexts)
def test_a_copy_shares_nothing(value: dict[str, Any]):
    copied = copy_json(value)
    assert copied == value

    def containers(node: Any) -> set[int]:
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        own = {id(node)} if isinstance(node, dict | list) else set()
        return own.union(*(containers(child) for child in children))

    assert not containers(value) & containers(copied)
