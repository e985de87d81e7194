"""An agent's instructions as text: written down, or made by a registered function for each model call."""

from __future__ import annotations

import inspect
from concurrent.futures import Executor
from typing import Any

from rojak.tools.registry import FunctionRegistry
from rojak.tools.results import ResultError, cast_output, copy_json
from rojak.tools.signature import CONTEXT_PARAMETER
from rojak.tools.threads import Raised, run_in_thread
from rojak.types.agent import Agent
from rojak.types.errors import ConfigurationError


async def resolve_instructions(
    agent: Agent,
    registry: FunctionRegistry,
    context_variables: dict[str, Any],
    *,
    executor: Executor | None = None,
) -> str:
    """The agent's instructions; where they are a function, what it returns.

    The function gets a copy of the context variables if it asks for them; what it changes in it is dropped. A
    sync function runs in a thread.

    Raises:
        ConfigurationError: the function is not registered, needs other arguments than ``context_variables``,
            or returned nothing.
        Exception: whatever the function raises, with a note that names the function.
    """
    if isinstance(agent.instructions, str):
        return agent.instructions
    spec = registry.get(agent.instructions.name, agent_name=agent.name)
    where = f"the instructions function {spec.name!r} of agent {agent.name!r} ({spec.location})"
    if required := spec.parameters["required"]:
        raise ConfigurationError(
            f"{where} needs {', '.join(required)}; an instructions function gets {CONTEXT_PARAMETER} and nothing else"
        )
    context = copy_json(context_variables)
    if spec.is_async:
        result = await _noting(where, spec.call({}, context))
    else:
        result = await run_in_thread(lambda: spec.call({}, context), executor)
        if isinstance(result, Raised):
            if not isinstance(result.error, Exception):
                # sys.exit() in a function is no reason for the worker to exit.
                raise RuntimeError(f"{where} raised {type(result.error).__name__}") from result.error
            result.error.add_note(f"raised by {where}")
            raise result.error
        if inspect.isawaitable(result):
            result = await _noting(where, result)
    if result is None:
        raise ConfigurationError(f"{where} returned None; it has to return the instructions as text")
    try:
        return cast_output(result)
    except ResultError as error:
        raise ConfigurationError(f"{where}: {error}") from error


async def _noting(where: str, awaitable: Any) -> Any:
    try:
        return await awaitable
    except Exception as error:
        error.add_note(f"raised by {where}")
        raise
