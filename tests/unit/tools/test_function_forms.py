"""The many forms in which functions come, and those that cannot be tools."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pytest

from rojak.tools import bind_arguments, function_to_json, specify
from rojak.types.errors import ConfigurationError

if TYPE_CHECKING:
    from decimal import Decimal as OnlyForTheChecker


def parameters_of(function: Callable[..., Any]) -> dict[str, Any]:
    return function_to_json(function)["function"]["parameters"]


def add(a: int, b: int = 1) -> OnlyForTheChecker:
    """Adds."""
    return a + b


class Shop:
    """A shop."""

    def order(self, item: str, count: int = 1) -> str:
        """Orders."""
        return f"{count} {item}"

    @classmethod
    def find(cls, town: str) -> str:
        """Finds."""
        return town

    @staticmethod
    def close(now: bool) -> str:
        """Closes."""
        return str(now)

    def __call__(self, hour: int) -> str:
        """Asks the shop."""
        return str(hour)


class AsyncShop:
    """An async shop."""

    async def __call__(self, hour: int) -> str:
        return str(hour)


def traced(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


@traced
def decorated(city: str) -> str:
    """Decorated."""
    return city


@functools.lru_cache
def cached(city: str) -> str:
    """Cached."""
    return city


@pytest.mark.parametrize(
    ("function", "name", "description", "properties"),
    [
        (add, "add", "Adds.", {"a": "integer", "b": "integer"}),
        (Shop().order, "order", "Orders.", {"item": "string", "count": "integer"}),
        (Shop.find, "find", "Finds.", {"town": "string"}),
        (Shop.close, "close", "Closes.", {"now": "boolean"}),
        (Shop(), "Shop", "Asks the shop.", {"hour": "integer"}),
        (AsyncShop(), "AsyncShop", "An async shop.", {"hour": "integer"}),
        (decorated, "decorated", "Decorated.", {"city": "string"}),
        (traced(traced(decorated)), "decorated", "Decorated.", {"city": "string"}),
        (cached, "cached", "Cached.", {"city": "string"}),
        (functools.partial(add, 1), "add", "Adds.", {"b": "integer"}),
        (functools.partial(functools.partial(add, b=2)), "add", "Adds.", {"a": "integer"}),
        (functools.partial(Shop().order, count=2), "order", "Orders.", {"item": "string"}),
        (functools.partial(Shop(), 3), "Shop", "Asks the shop.", {}),
    ],
)
def test_a_callable_is_described_by_what_it_calls(
    function: Callable[..., Any], name: str, description: str, properties: dict[str, str]
):
    described = function_to_json(function)["function"]
    assert (described["name"], described["description"]) == (name, description)
    assert {key: value["type"] for key, value in described["parameters"]["properties"].items()} == properties


@pytest.mark.parametrize(
    ("function", "arguments", "result"),
    [
        (add, '{"a": 1}', 2),
        (Shop().order, '{"item": "tea"}', "1 tea"),
        (Shop(), '{"hour": "7"}', "7"),
        (traced(add), '{"a": 1, "b": 3}', 4),
        (functools.partial(add, 5), '{"b": 3}', 8),
        (functools.partial(add, b=5), '{"a": 3}', 8),
    ],
)
def test_a_callable_is_called_with_what_was_bound(function: Callable[..., Any], arguments: str, result: Any):
    spec = specify(function)
    bound = bind_arguments(spec, arguments)
    assert isinstance(bound, dict)
    assert spec.call(bound, None) == result


def test_what_a_partial_has_bound_is_neither_shown_nor_settable():
    class Database:
        """No data."""

    database = Database()

    def find(query: str, database, **options):
        return database

    find.__annotations__["database"] = Database
    spec = specify(functools.partial(find, database=database))
    assert list(spec.parameters["properties"]) == ["query"]
    refused = bind_arguments(spec, '{"query": "x", "database": "mine"}')
    assert "- database: there is no such argument" in getattr(refused, "message", "")


def test_a_partial_can_be_given_a_name_and_a_docstring():
    tool = functools.partial(add, b=2)
    tool.__name__ = "add_two"
    tool.__doc__ = "Adds two."
    described = function_to_json(tool)["function"]
    assert (described["name"], described["description"]) == ("add_two", "Adds two.")


def test_context_variables_bound_by_a_partial_are_not_filled():
    def look(context_variables, x: int):
        return context_variables

    assert specify(look).takes_context
    assert not specify(functools.partial(look, {})).takes_context
    assert not specify(functools.partial(look, context_variables={})).takes_context


def test_positional_only_parameters_are_passed_by_position():
    def mix(a, context_variables, b: int = 2, /, c=3, *, d=4, **rest):
        return (a, context_variables, b, c, d, rest)

    spec = specify(mix)
    assert spec.parameters["required"] == ["a"]
    for arguments, expected in (
        ('{"a": 1}', (1, {"k": 0}, 2, 3, 4, {})),
        ('{"a": 1, "b": "7", "d": 8, "e": 9}', (1, {"k": 0}, 7, 3, 8, {"e": 9})),
    ):
        bound = bind_arguments(spec, arguments)
        assert isinstance(bound, dict)
        assert spec.call(bound, {"k": 0}) == expected


@pytest.mark.parametrize("arguments", ['{"a": 1, "context_variables": {"admin": true}}'])
def test_a_model_cannot_set_context_variables(arguments: str):
    def closed(a, context_variables): ...

    def open_(a, context_variables, **rest): ...

    def neither(a, **rest): ...

    for function in (closed, open_, neither):
        refused = bind_arguments(specify(function), arguments)
        assert "- context_variables: there is no such argument" in getattr(refused, "message", "")


@pytest.mark.parametrize(
    ("function", "is_async"),
    [
        (add, False),
        (Shop(), False),
        (AsyncShop(), True),
        (functools.partial(AsyncShop()), False),
        (functools.partial(AsyncShop().__call__), True),
        (traced(AsyncShop().__call__), False),
    ],
)
def test_async_functions_are_known_as_such(function: Callable[..., Any], is_async: bool):
    # Those behind a sync wrapper are not; calling them returns an awaitable, which is good enough.
    assert specify(function).is_async is is_async


def test_names_in_annotations_are_looked_up_where_the_function_was_written():
    class Local:
        """Seen through the closure only."""

    def outer(kind: type) -> Callable[..., Any]:
        def inner(x: kind): ...

        return inner

    # A name that only an annotation mentions is not closed over.
    with pytest.raises(ConfigurationError, match="parameter 'x' cannot be resolved: name 'kind' is not defined"):
        function_to_json(outer(Local))

    def used(x: Thing):  # noqa: F821 - see below
        return Local

    used.__annotations__["x"] = "Local | None"
    with pytest.raises(ConfigurationError, match="parameter 'x' cannot be described"):
        function_to_json(used)


def test_a_name_for_type_checkers_only_is_an_error_that_names_the_parameter():
    def pay(amount: OnlyForTheChecker): ...

    with pytest.raises(
        ConfigurationError,
        match=r"function 'pay' \(.*test_function_forms:\d+\): the annotation 'OnlyForTheChecker' of parameter"
        r" 'amount' cannot be resolved: name 'OnlyForTheChecker' is not defined.*not only under TYPE_CHECKING",
    ):
        function_to_json(pay)


def test_the_annotation_of_the_result_does_not_matter():
    assert parameters_of(add)["required"] == ["a"]


T = TypeVar("T")


class Box(Generic[T]):
    def put(self, thing: T, count: int) -> None:
        """Puts."""


def test_methods_of_generic_classes_work():
    assert parameters_of(Box().put)["properties"] == {"thing": {}, "count": {"type": "integer"}}


def spread(*items: str): ...


def undecorated(function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def numbers():
    yield 1


async def async_numbers():
    yield 1


class Numbers:
    def __call__(self):
        yield 1


def größe(): ...


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (spread, r"function 'spread' .* takes \*items"),
        (undecorated(add), r"function 'wrapper' .* takes \*args.*functools.wraps"),
        (lambda: 1, "function '<lambda>' .* define it with such a name"),
        (größe, "function 'größe' .* define it with such a name"),
        (Shop, "function 'Shop' .* is a class"),
        (Shop.order, "function 'order' .* method without its object"),
        (numbers, "function 'numbers' .* is a generator"),
        (async_numbers, "function 'async_numbers' .* is a generator"),
        (Numbers(), "function 'Numbers' .* is a generator"),
        (functools.partial(numbers), "function 'numbers' .* is a generator"),
        (max, "function 'max' .* has no signature"),
    ],
)
def test_what_cannot_be_a_tool_is_an_error_that_says_why(function: Callable[..., Any], message: str):
    with pytest.raises(ConfigurationError, match=message):
        function_to_json(function)
