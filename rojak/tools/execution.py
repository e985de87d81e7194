"""Running a function for a model: arguments in, an outcome out, whatever the function does.

An outcome is a value, since what a function raises is for the model to read. The exceptions from here are
those that the caller has to act on: cancellation, and the function's own where the user's retry policy is to
see them.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from rojak.tools.arguments import bind_arguments
from rojak.tools.results import copy_json, failure, settle
from rojak.tools.schema import FunctionSpec
from rojak.tools.threads import Raised, run_in_thread
from rojak.types.activities import ToolFailed, ToolReturned

logger = logging.getLogger(__name__)


async def execute_function(
    spec: FunctionSpec,
    arguments_json: str,
    context_variables: dict[str, Any],
    *,
    timeout: float,
    raise_errors: bool = False,
    executor: Executor | None = None,
) -> ToolReturned | ToolFailed:
    """Call a function as a model asked for it.

    An async function is awaited here, and cancelled when its time is over. A sync one runs in a thread, with
    this task's context variables (of `contextvars`); nothing can stop it, so when its time is over it is left
    behind and what it still does is ignored. A sync function may return an awaitable, which is then awaited
    here.

    A function that asks for ``context_variables`` gets a copy of its own. What it changed there counts; if it
    returns an AgentExecuteFnResult with ``context_variables``, these count instead. Values other than JSON's
    (models, dataclasses, dates, enums, sets) are converted to JSON, and what cannot be is an error that names
    the key.

    Args:
        spec: the function.
        arguments_json: a JSON object as the model, or a human, wrote it.
        context_variables: plain JSON data; not changed.
        timeout: seconds that the function may take.
        raise_errors: raise what the function raises, and TimeoutError when its time is over, instead of
            returning a ToolFailed. Arguments or results that do not fit are returned all the same: another
            attempt changes nothing.
        executor: whose thread runs a sync function; None means threads that all calls share, one for each
            call.

    Returns:
        What came of it. Never more than a session can carry: see the limits in `rojak.tools.results`.

    Raises:
        asyncio.CancelledError: the caller was cancelled; so is an async function then.
        Exception: see ``raise_errors``.
    """
    arguments = bind_arguments(spec, arguments_json)
    if isinstance(arguments, ToolFailed):
        return arguments
    context = copy_json(context_variables) if spec.takes_context else None

    def call() -> Any:
        return spec.call(arguments, context)

    def call_and_settle() -> Any:
        result = call()
        # Large results are cast in the thread too, rather than on the event loop.
        return result if inspect.isawaitable(result) else settle(result, context_variables, context)

    limit = asyncio.timeout(timeout)
    in_thread = not spec.is_async
    try:
        async with limit:
            if spec.is_async:
                answer = await _await_guarded(call)
            else:
                answer = await run_in_thread(call_and_settle, executor)
                if isinstance(answer, ToolReturned | ToolFailed):
                    return answer
                in_thread = False
                if not isinstance(answer, Raised):
                    awaitable = answer
                    answer = await _await_guarded(lambda: awaitable)
    except TimeoutError:
        if not limit.expired():
            raise
        if in_thread:
            logger.warning("function %s took more than %g s; its thread was left behind", spec.name, timeout)
        late = TimeoutError(f"{spec.name} timed out after {timeout:g} s")
        if raise_errors:
            raise late from None
        return failure(late)
    if isinstance(answer, Raised):
        # What is no Exception would end the worker, or look like a cancellation of the caller.
        if raise_errors and isinstance(answer.error, Exception):
            raise answer.error
        return failure(answer.error)
    return settle(answer, context_variables, context)


async def _await_guarded(make: Callable[[], Any]) -> Any:
    """The awaited result, or what was raised as a value; only a cancellation of the caller escapes."""
    task = asyncio.current_task()
    cancels = task.cancelling() if task else 0
    try:
        return await make()
    except asyncio.CancelledError as error:
        if task is None or task.cancelling() > cancels:
            raise
        # Nobody cancelled the caller: the function awaited something of its own that was cancelled.
        return Raised(error)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the function's exceptions are for the model to read
        return Raised(error)
