"""Functions by name, and instructions that are functions."""

from __future__ import annotations

import asyncio
import functools
import threading
from typing import Any

import pytest

from rojak.tools import FunctionRegistry, function_to_json, resolve_instructions
from rojak.types.agent import Agent
from rojak.types.errors import ConfigurationError


def greet(name: str):
    """Greets."""


def order_pizza(size: str):
    """Orders."""


class Shop:
    def open(self): ...


def another_greet() -> Any:
    def greet(): ...

    return greet


def test_functions_are_found_by_name_in_the_order_asked_for():
    registry = FunctionRegistry([greet, order_pizza])
    assert list(registry) == ["greet", "order_pizza"]
    assert len(registry) == 2
    assert "greet" in registry
    assert "other" not in registry
    assert registry.get("greet").function is greet
    assert registry.schemas(["order_pizza", "greet"]) == [function_to_json(order_pizza), function_to_json(greet)]


def test_the_same_function_twice_counts_once():
    shop = Shop()
    assert len(FunctionRegistry([greet, greet, shop.open, shop.open])) == 2


@pytest.mark.parametrize(
    "functions",
    [[greet, another_greet()], [Shop().open, Shop().open], [greet, functools.partial(greet, name="x")]],
)
def test_two_functions_of_one_name_are_an_error_that_names_both_places(functions: list[Any]):
    with pytest.raises(
        ConfigurationError,
        match=r"two functions are named '\w+': .*test_registry:\d+ and .*test_registry:\d+; rename one",
    ):
        FunctionRegistry(functions)


@pytest.mark.parametrize("entry", ["greet", None, 5, {"name": "greet"}])
def test_what_is_not_callable_is_an_error(entry: Any):
    with pytest.raises(ConfigurationError, match=r"which is no function; list the functions themselves"):
        FunctionRegistry([entry])


@pytest.mark.parametrize("functions", [greet, None, 5])
def test_what_is_no_list_is_an_error(functions: Any):
    with pytest.raises(ConfigurationError, match=r"all_functions must be a list of functions"):
        FunctionRegistry(functions)


def test_a_function_without_a_schema_is_an_error_at_registration():
    def use(lock): ...

    use.__annotations__["lock"] = threading.Lock
    with pytest.raises(ConfigurationError, match=r"function 'use' .* parameter 'lock'"):
        FunctionRegistry([use])


def test_an_unknown_name_is_an_error_with_a_suggestion_and_a_remedy():
    registry = FunctionRegistry([greet, order_pizza])
    with pytest.raises(ConfigurationError) as caught:
        registry.schemas(["greet", "order_piza"], agent_name="Waiter")
    assert str(caught.value) == (
        "agent 'Waiter' names the function 'order_piza', which is not registered with this worker. Did you mean"
        " 'order_pizza'? Registered: greet, order_pizza. Add it to all_functions=[...] in the options of the agent's"
        " activities"
    )


def test_an_unknown_name_with_nothing_registered_is_an_error():
    with pytest.raises(ConfigurationError, match=r"the function 'greet' is not registered .* Registered: none"):
        FunctionRegistry([]).get("greet")


def agent_with(instructions: Any) -> Agent:
    return Agent(type="test", model="m", name="Waiter", instructions=instructions)


async def resolve(function: Any, context: dict[str, Any] | None = None) -> str:
    agent = agent_with({"type": "function", "name": function.__name__})
    return await resolve_instructions(agent, FunctionRegistry([function]), context or {})


async def test_instructions_that_are_text_are_that_text():
    assert await resolve_instructions(agent_with("Be brief."), FunctionRegistry(), {}) == "Be brief."


async def test_a_function_makes_the_instructions_from_a_copy_of_the_context():
    def instructions_fn(context_variables):
        context_variables["seen"] = True
        return f"Help {context_variables['user']['name']}."

    context = {"user": {"name": "John"}}
    assert await resolve(instructions_fn, context) == "Help John."
    assert context == {"user": {"name": "John"}}


async def test_instructions_come_from_async_functions_and_threads_alike():
    async def on_loop(context_variables, tone: str = "kindly"):
        await asyncio.sleep(0)
        return f"Help {tone}."

    def lazily():
        return on_loop({})

    def in_thread():
        return threading.current_thread() is threading.main_thread()

    assert await resolve(on_loop) == "Help kindly."
    assert await resolve(lazily) == "Help kindly."
    assert await resolve(in_thread) == "False"


async def test_a_missing_instructions_function_is_named():
    agent = agent_with({"type": "function", "name": "instructions_fn"})
    with pytest.raises(ConfigurationError, match=r"agent 'Waiter' names the function 'instructions_fn', which is not"):
        await resolve_instructions(agent, FunctionRegistry([greet]), {})


async def test_an_instructions_function_that_needs_more_than_the_context_is_an_error():
    with pytest.raises(ConfigurationError, match=r"instructions function 'greet' of agent 'Waiter' .* needs name"):
        await resolve(greet)


async def test_an_instructions_function_that_returns_nothing_is_an_error():
    def forgotten(): ...

    with pytest.raises(ConfigurationError, match=r"instructions function 'forgotten' .* returned None"):
        await resolve(forgotten)


def raising(error: BaseException) -> list[Any]:
    def in_thread():
        raise error

    async def on_loop():
        raise error

    def lazily():
        return on_loop()

    return [in_thread, on_loop, lazily]


@pytest.mark.parametrize("kind", range(3), ids=["sync", "async", "awaitable"])
async def test_what_an_instructions_function_raises_propagates_with_its_name(kind: int):
    function = raising(KeyError("user"))[kind]
    with pytest.raises(KeyError) as caught:
        await resolve(function)
    assert f"instructions function {function.__name__!r}" in caught.value.__notes__[0]


async def test_sys_exit_in_an_instructions_function_does_not_end_the_worker():
    with pytest.raises(RuntimeError, match=r"instructions function 'in_thread' .* raised SystemExit"):
        await resolve(raising(SystemExit(1))[0])
