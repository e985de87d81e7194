"""From the JSON that a model wrote to typed arguments, or to a text that helps it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, TypedDict
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, Field

from rojak.tools import bind_arguments, specify
from rojak.types.activities import ToolFailed


class Size(Enum):
    SMALL = "S"
    LARGE = "L"


@dataclass
class Point:
    x: int
    y: int = 0


class Topping(BaseModel):
    name: str
    grams: float = 10


class Address(TypedDict):
    street: str


def greet(name, age: int, location: str = "New York"): ...


def bind_one(annotation: Any, value: Any) -> Any:
    """What a value becomes as an argument of that annotation."""

    def function(x): ...

    function.__annotations__["x"] = annotation
    bound = bind_arguments(specify(function), json.dumps({"x": value}))
    return bound if isinstance(bound, ToolFailed) else bound["x"]


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (int, "5", 5),
        (int, 5.0, 5),
        (float, "2.5", 2.5),
        (bool, "true", True),
        (str, 12345, "12345"),
        (int | None, None, None),
        (int | str, "5", "5"),
        (Size, "L", Size.LARGE),
        (list[Size], ["S"], [Size.SMALL]),
        (Point, {"x": "1"}, Point(1)),
        (Topping, {"name": "ham"}, Topping(name="ham")),
        (dict[str, Topping], {"a": {"name": "ham", "grams": "5"}}, {"a": Topping(name="ham", grams=5)}),
        (Address, {"street": "High"}, {"street": "High"}),
        (tuple[int, str], [1, "a"], (1, "a")),
        (set[int], [1, 1], {1}),
        (date, "2026-11-24", date(2026, 11, 24)),
        (Decimal, "1.10", Decimal("1.10")),
        (UUID, "12345678123456781234567812345678", UUID("12345678123456781234567812345678")),
        (Literal["a", 1], 1, 1),
        (Any, {"a": [None]}, {"a": [None]}),
    ],
    ids=str,
)
def test_arguments_are_converted_to_what_the_annotation_says(annotation: Any, value: Any, expected: Any):
    bound = bind_one(annotation, value)
    assert bound == expected
    assert type(bound) is type(expected)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(value=json_values)
def test_a_parameter_without_annotation_takes_whatever_json_came(value: Any):
    bound = bind_arguments(specify(greet), json.dumps({"name": value, "age": 1}))
    assert isinstance(bound, dict)
    assert bound["name"] == value


@pytest.mark.parametrize("text", ["", "  \n", "{}", "null"])
def test_no_text_is_no_arguments(text: str):
    def now(zone: str = "UTC"): ...

    assert bind_arguments(specify(now), text) == {}


def test_what_is_left_out_is_left_to_the_functions_default():
    assert bind_arguments(specify(greet), '{"name": "A", "age": 3}') == {"name": "A", "age": 3}


def test_null_for_a_parameter_with_a_default_is_leaving_it_out():
    def function(a: int = 1, b: str = None, c: int | None = 2): ...  # noqa: RUF013 - users write it

    assert bind_arguments(specify(function), '{"a": null, "b": null, "c": null}') == {"c": None}


def test_null_does_not_hide_other_errors():
    refused = bind_arguments(specify(greet), '{"name": "A", "age": "x", "location": null}')
    assert isinstance(refused, ToolFailed)
    assert refused.message == (
        'Wrong arguments for greet:\n- age: should be a valid integer, unable to parse string as an integer; got "x"'
    )


def test_defaults_of_a_pydantic_field_are_filled_in():
    def function(a: Annotated[int, Field(default=3)], b): ...

    function.__defaults__ = (Field([], description="no mutable default needed"),)
    assert bind_arguments(specify(function), "{}") == {"a": 3, "b": []}


def test_additional_properties_reach_keyword_arguments():
    def anything(**options): ...

    def numbers(**options: int): ...

    assert bind_arguments(specify(anything), '{"a": "1", "b": {}}') == {"a": "1", "b": {}}
    assert bind_arguments(specify(numbers), '{"a": "1"}') == {"a": 1}
    refused = bind_arguments(specify(numbers), '{"a": "x"}')
    assert isinstance(refused, ToolFailed)
    assert "- a: should be a valid integer" in refused.message


def check_even(value: int) -> int:
    if value % 2:
        raise ValueError("must be even")
    return value


def check_badly(value: int) -> int:
    return value // 0


def order(
    size: Size,
    toppings: list[Topping],
    where: Point | Topping | None = None,
    count: Annotated[int, Field(ge=1, le=5)] = 1,
    pair: Annotated[int, AfterValidator(check_even)] = 2,
    corner: tuple[int, int] = (0, 0),
    tags: set[str] = frozenset(),
): ...


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        ("{}", ['- size: is missing; expected one of "S", "L"', "- toppings: is missing; expected array of object"]),
        (
            '{"size": "M", "toppings": []}',
            ["- size: should be 'S' or 'L'; got \"M\""],
        ),
        (
            '{"size": "S", "toppings": [{"name": "ham"}, {"name": []}, {}, 3]}',
            [
                "- toppings[1].name: should be a valid string; got []",
                "- toppings[2].name: is missing",
                "- toppings[3]: should be an object; got 3",
            ],
        ),
        (
            '{"size": "S", "toppings": [], "where": {"x": "here"}}',
            [
                '- where.x: should be a valid integer, unable to parse string as an integer; got "here"',
                "- where.name: is missing",
            ],
        ),
        (
            '{"size": "S", "toppings": [], "count": 9, "pair": 3, "corner": [1]}',
            [
                "- count: should be less than or equal to 5; got 9",
                "- pair: must be even; got 3",
                "- corner[1]: is missing",
            ],
        ),
        (
            '{"size": "S", "toppings": [], "colour": "red"}',
            [
                "- colour: there is no such argument; the arguments are: size, toppings, where, count, pair, corner,"
                " tags"
            ],
        ),
    ],
)
def test_an_error_names_each_argument_and_what_is_expected(arguments: str, lines: list[str]):
    refused = bind_arguments(specify(order), arguments)
    assert isinstance(refused, ToolFailed)
    assert refused.error_type == "InvalidArgumentsError"
    assert refused.message.split("\n") == ["Wrong arguments for order:", *lines]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            '{"name": "A"',
            "The arguments of greet are not valid JSON: EOF while parsing an object at line 1 column 12. Send one JSON"
            " object with name (string), age (integer), location (string, optional).",
        ),
        (
            "name=A",
            "The arguments of greet are not valid JSON: expected ident at line 1 column 2. Send one JSON object with"
            " name (string), age (integer), location (string, optional).",
        ),
        (
            "[1]",
            "The arguments of greet are not a JSON object. Send one JSON object with name (string), age (integer),"
            " location (string, optional).",
        ),
    ],
)
def test_what_is_no_json_object_is_answered_with_its_outline(arguments: str, message: str):
    refused = bind_arguments(specify(greet), arguments)
    assert isinstance(refused, ToolFailed)
    assert refused.message == message


def test_a_function_without_parameters_says_that_it_takes_none():
    def now(): ...

    spec = specify(now)
    unknown, broken = bind_arguments(spec, '{"zone": 1}'), bind_arguments(spec, "{")
    assert isinstance(unknown, ToolFailed)
    assert isinstance(broken, ToolFailed)
    assert unknown.message == "Wrong arguments for now:\n- zone: the function takes no arguments"
    assert broken.message.endswith("Send one JSON object without entries: {}.")


def test_a_validator_that_raises_anything_is_an_error_value():
    def function(x: Annotated[int, AfterValidator(check_badly)]): ...

    refused = bind_arguments(specify(function), '{"x": 1}')
    assert isinstance(refused, ToolFailed)
    assert refused.error_type == "ZeroDivisionError"


def test_long_values_and_long_lists_of_errors_are_cut():
    def function(x: list[int]): ...

    refused = bind_arguments(specify(function), json.dumps({"x": ["v" * 5000] * 500}))
    assert isinstance(refused, ToolFailed)
    assert len(refused.message) < 5000
    assert refused.message.endswith("- and 480 more")


def test_a_recursive_type_can_be_missing():
    def function(node: Node): ...

    refused = bind_arguments(specify(function), "{}")
    assert isinstance(refused, ToolFailed)
    assert "- node: is missing; expected object" in refused.message


class Node(BaseModel):
    children: list[Node] = []


@settings(max_examples=200)
@given(text=st.text() | json_values.map(json.dumps) | json_values.map(lambda v: json.dumps({"size": v, "toppings": v})))
def test_nothing_a_model_writes_raises(text: str):
    for function in (order, greet, lambda_like):
        bound = bind_arguments(specify(function), text)
        assert isinstance(bound, dict | ToolFailed)


def lambda_like(**rest: Any): ...
