"""The functions that a worker knows, by name.

Agents are data and name their functions; the worker's registry turns the names into schemas and calls.
Everything that can be wrong with a function is found when it is registered, which is before the worker takes
any work.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from rojak.tools.schema import FunctionSpec, specify
from rojak.tools.signature import location_of, name_of
from rojak.types.errors import ConfigurationError


class FunctionRegistry:
    """Functions by name: those that models call, and those that make instructions.

    Args:
        functions: what is registered. The same function twice counts once.

    Raises:
        ConfigurationError: something is not callable, cannot be described to a model, or has the name of
            another function.
    """

    def __init__(self, functions: Iterable[Callable[..., Any]] = ()) -> None:
        if callable(functions) or not isinstance(functions, Iterable):
            raise ConfigurationError(f"all_functions must be a list of functions, not {functions!r}")
        self._specs: dict[str, FunctionSpec] = {}
        for function in functions:
            self._add(function)

    def _add(self, function: Callable[..., Any]) -> None:
        if not callable(function):
            raise ConfigurationError(
                f"all_functions holds {function!r}, which is no function; list the functions themselves, not"
                " their names or results"
            )
        known = self._specs.get(name_of(function))
        if known is None:
            spec = specify(function)
            self._specs[spec.name] = spec
        elif not _same(known.function, function):
            raise ConfigurationError(
                f"two functions are named {known.name!r}: {known.location} and {location_of(function)}; rename one"
                " of them, since agents and models tell functions by their names"
            )

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)

    def __contains__(self, name: object) -> bool:
        return name in self._specs

    def get(self, name: str, *, agent_name: str | None = None) -> FunctionSpec:
        """The function of that name.

        Args:
            name: as an agent names it.
            agent_name: who names it, for the error.

        Raises:
            ConfigurationError: it is not registered; the message suggests what may have been meant.
        """
        spec = self._specs.get(name)
        if spec is None:
            raise ConfigurationError(self._unknown(name, agent_name))
        return spec

    def schemas(self, names: Iterable[str], *, agent_name: str | None = None) -> list[dict[str, Any]]:
        """OpenAI's form of the tools of those names, in their order; shared, so not to be changed.

        Raises:
            ConfigurationError: one of them is not registered.
        """
        return [self.get(name, agent_name=agent_name).schema for name in names]

    def _unknown(self, name: str, agent_name: str | None) -> str:
        who = f"agent {agent_name!r} names the function {name!r}, which" if agent_name else f"the function {name!r}"
        close = difflib.get_close_matches(name, self._specs, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        registered = ", ".join(sorted(self._specs)) or "none"
        return (
            f"{who} is not registered with this worker.{hint} Registered: {registered}. Add it to"
            " all_functions=[...] in the options of the agent's activities"
        )


def _same(one: Any, other: Any) -> bool:
    # A bound method is a new object each time it is asked for.
    return one is other or (inspect.ismethod(one) and inspect.ismethod(other) and one == other)
