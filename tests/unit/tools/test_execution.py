"""Running functions: in threads and on the loop, with time-outs, cancellation and everything that can go wrong."""

from __future__ import annotations

import asyncio
import functools
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

from rojak.tools import execute_function, specify
from rojak.types.activities import ToolFailed, ToolReturned

pytestmark = pytest.mark.timeout(20)


async def execute(function: Callable[..., Any], arguments: str = "{}", /, **options: Any) -> ToolReturned | ToolFailed:
    context = options.pop("context", {})
    return await execute_function(specify(function), arguments, context, **{"timeout": 10, **options})


def add(a: int, b: int) -> int:
    return a + b


async def add_async(a: int, b: int) -> int:
    await asyncio.sleep(0)
    return a + b


def add_lazily(a: int, b: int) -> Any:
    return add_async(a, b)


@pytest.mark.parametrize("function", [add, add_async, add_lazily, functools.partial(add, b=2)])
async def test_a_function_answers_as_text(function: Callable[..., Any]):
    arguments = '{"a": "1"}' if isinstance(function, functools.partial) else '{"a": "1", "b": 2}'
    assert await execute(function, arguments) == ToolReturned(output="3")


async def test_arguments_that_do_not_fit_are_an_error_and_nothing_is_called():
    called = []

    def function(a: int):
        called.append(a)

    outcome = await execute(function, '{"a": "x"}', raise_errors=True)
    assert isinstance(outcome, ToolFailed)
    assert outcome.error_type == "InvalidArgumentsError"
    assert not called


async def test_a_sync_function_leaves_the_loop_free():
    started, release = threading.Event(), threading.Event()

    def function():
        started.set()
        assert release.wait(10)
        return threading.current_thread().name

    call = asyncio.create_task(execute(function))
    await asyncio.to_thread(started.wait, 10)
    release.set()
    outcome = await call
    assert isinstance(outcome, ToolReturned)
    assert outcome.output.startswith("rojak-tool-")


async def test_an_async_function_runs_on_the_callers_loop():
    loop = asyncio.get_running_loop()

    async def function():
        return asyncio.get_running_loop() is loop

    assert await execute(function) == ToolReturned(output="True")


async def test_many_sync_functions_run_at_the_same_time():
    together = threading.Barrier(60)

    def function():
        together.wait(10)

    outcomes = await asyncio.gather(*(execute(function) for _ in range(60)))
    assert all(isinstance(outcome, ToolReturned) for outcome in outcomes)


async def test_an_executor_of_the_callers_own_is_used():
    with ThreadPoolExecutor(1, thread_name_prefix="mine") as executor:
        outcome = await execute(lambda_like, executor=executor)
    assert outcome == ToolReturned(output="mine_0")


def lambda_like():
    return threading.current_thread().name


trace: ContextVar[str] = ContextVar("trace", default="none")


async def test_context_variables_of_the_task_reach_both_kinds_of_functions():
    def in_thread():
        return trace.get()

    async def on_loop():
        return trace.get()

    trace.set("t1")
    assert await execute(in_thread) == ToolReturned(output="t1")
    assert await execute(on_loop) == ToolReturned(output="t1")


class PaymentError(Exception):
    pass


def raising(error: BaseException) -> list[Callable[[], Any]]:
    def in_thread():
        raise error

    async def on_loop():
        raise error

    def lazily():
        return on_loop()

    return [in_thread, on_loop, lazily]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PaymentError("card declined"), "PaymentError: card declined"),
        (KeyError("user"), "KeyError: 'user'"),
        (ValueError(), "ValueError"),
        (TimeoutError("the bank is slow"), "TimeoutError: the bank is slow"),
        (
            ExceptionGroup("several", [ValueError("a"), PaymentError("b")]),
            "ExceptionGroup: several (2 sub-exceptions) (ValueError: a; PaymentError: b)",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("kind", range(3), ids=["sync", "async", "awaitable"])
async def test_an_exception_is_told_to_the_model_or_raised(error: Exception, message: str, kind: int):
    function = raising(error)[kind]
    assert await execute(function) == ToolFailed(error_type=type(error).__name__, message=message)
    with pytest.raises(type(error)) as caught:
        await execute(function, raise_errors=True)
    assert caught.value is error


async def test_an_exception_without_a_text_of_its_own_is_told_by_its_name():
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError("no")

    assert await execute(raising(Mute())[0]) == ToolFailed(error_type="Mute", message="Mute")


async def test_the_text_of_an_exception_is_cut_to_its_limit():
    outcome = await execute(raising(ValueError("ä" * 100_000))[0])
    assert isinstance(outcome, ToolFailed)
    assert 16_000 < len(outcome.message.encode()) <= 16 * 1024


async def test_stop_iteration_from_a_thread_is_an_error_like_others():
    def function():
        return next(iter([]))

    assert await execute(function) == ToolFailed(error_type="StopIteration", message="StopIteration")


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()], ids=repr)
@pytest.mark.parametrize("raise_errors", [False, True])
async def test_what_would_end_the_process_ends_the_call_in_a_thread(error: BaseException, raise_errors: bool):
    outcome = await execute(raising(error)[0], raise_errors=raise_errors)
    assert isinstance(outcome, ToolFailed)
    assert outcome.error_type == type(error).__name__


@pytest.mark.parametrize("kind", [1, 2], ids=["async", "awaitable"])
async def test_sys_exit_in_an_async_function_does_not_end_the_worker(kind: int):
    outcome = await execute(raising(SystemExit(3))[kind])
    assert outcome == ToolFailed(error_type="SystemExit", message="SystemExit: 3")


async def test_a_cancellation_of_the_functions_own_making_is_its_error():
    async def function():
        inner = asyncio.get_running_loop().create_future()
        inner.cancel()
        await inner

    assert await execute(function) == ToolFailed(error_type="CancelledError", message="CancelledError")


def waiting() -> tuple[list[Callable[[], Any]], threading.Event, list[str], threading.Event]:
    """A sync and an async function that never end by themselves, what says that they run, what happened, and an end."""
    started, ended, happened = threading.Event(), threading.Event(), list[str]()

    def in_thread():
        started.set()
        ended.wait(30)
        happened.append("went on")

    async def on_loop():
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            happened.append("cancelled")
            raise

    return [in_thread, on_loop, lambda: on_loop()], started, happened, ended


@pytest.mark.parametrize("kind", range(3), ids=["sync", "async", "awaitable"])
async def test_a_function_that_takes_too_long_is_told_to_the_model_or_raised(kind: int):
    functions, started, happened, ended = waiting()
    function = functools.update_wrapper(functools.partial(functions[kind]), lambda_like)
    outcome = await execute(function, timeout=0.05)
    assert outcome == ToolFailed(error_type="TimeoutError", message="TimeoutError: lambda_like timed out after 0.05 s")
    assert started.is_set()
    with pytest.raises(TimeoutError, match=r"lambda_like timed out after 0.05 s"):
        await execute(function, timeout=0.05, raise_errors=True)
    ended.set()
    assert happened.count("cancelled") == (0 if kind == 0 else 2)


@pytest.mark.parametrize("kind", range(3), ids=["sync", "async", "awaitable"])
async def test_cancelling_the_caller_ends_the_wait_at_once(kind: int):
    functions, started, happened, ended = waiting()
    function = functools.update_wrapper(functools.partial(functions[kind]), lambda_like)
    call = asyncio.create_task(execute(function, timeout=30))
    await asyncio.to_thread(started.wait, 10)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert happened == ([] if kind == 0 else ["cancelled"])
    ended.set()


async def test_functions_that_were_left_behind_do_not_stand_in_the_way_of_others():
    functions, _, _, ended = waiting()
    late = await asyncio.gather(*(execute(functions[0], timeout=0.05) for _ in range(40)))
    assert all(isinstance(outcome, ToolFailed) for outcome in late)
    assert await execute(add, '{"a": 1, "b": 1}', timeout=5) == ToolReturned(output="2")
    ended.set()


async def test_a_function_left_behind_does_not_keep_the_process_alive():
    program = (
        "import asyncio, threading\n"
        "from rojak.tools import execute_function, specify\n"
        "def hang():\n    threading.Event().wait()\n"
        "print(asyncio.run(execute_function(specify(hang), '', {}, timeout=0.05)).message)\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    out, err = await asyncio.wait_for(process.communicate(), 15)
    assert (process.returncode, out.decode().strip()) == (0, "TimeoutError: hang timed out after 0.05 s"), err


async def test_a_function_that_answers_its_cancellation_has_answered():
    async def function():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "half of it"

    assert await execute(function, timeout=0.05) == ToolReturned(output="half of it")


async def test_what_a_function_left_behind_still_does_is_ignored():
    reached, ended = threading.Event(), threading.Event()
    context = {"n": 1}

    def function(context_variables):
        ended.wait(10)
        context_variables["n"] = 2
        reached.set()

    outcome = await execute(function, context=context, timeout=0.05)
    ended.set()
    await asyncio.to_thread(reached.wait, 10)
    assert isinstance(outcome, ToolFailed)
    assert context == {"n": 1}
