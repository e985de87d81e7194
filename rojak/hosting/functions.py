"""The Python functions that agents name: imported before a worker takes any work, so that mistakes show at once."""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from rojak.tools.signature import name_of
from rojak.types.errors import ConfigurationError
from rojak.workerconfig.model import FunctionsEntry

Function = Callable[..., Any]


class FunctionSource:
    """Finds functions by ``module:name``, or by name alone among those of the configured modules.

    Args:
        entry: where functions come from. Its folders are put in front of Python's path.

    Raises:
        ConfigurationError: a configured module cannot be imported.
    """

    def __init__(self, entry: FunctionsEntry) -> None:
        self._known: dict[str, list[Function]] = {}
        self._where = ", ".join([*entry.modules, *([entry.folder] if entry.folder else [])])
        for folder in reversed([*entry.python_path, *([entry.folder] if entry.folder else [])]):
            if folder not in sys.path:
                sys.path.insert(0, folder)
        files = sorted(Path(entry.folder).glob("*.py")) if entry.folder else []
        for name in [*entry.modules, *(path.stem for path in files)]:
            self._register(_import(name, f"functions.modules names the module {name!r}"))

    def find(self, name: str, used_by: str) -> Function:
        """The function.

        Args:
            name: as an agent names it.
            used_by: who does, for the error.

        Raises:
            ConfigurationError: there is none; says which module and which name, and what may have been meant.
        """
        module_name, colon, attribute = name.rpartition(":")
        if colon:
            module = _import(module_name, f"{used_by} names the function {name!r}")
            return _attribute(module, attribute, f"{used_by} names the function {name!r}")
        found = self._known.get(name, [])
        if len(found) == 1:
            return found[0]
        if found:
            modules = " and ".join(sorted(function.__module__ for function in found))
            raise ConfigurationError(
                f"{used_by} names the function {name!r}, which {modules} both have; write module:{name}"
            )
        raise ConfigurationError(self._unknown(name, used_by))

    def _register(self, module: ModuleType) -> None:
        for name, value in vars(module).items():
            is_its_own = inspect.isfunction(value) and value.__module__ == module.__name__
            if is_its_own and not name.startswith("_"):
                self._known.setdefault(name_of(value), []).append(value)

    def _unknown(self, name: str, used_by: str) -> str:
        close = difflib.get_close_matches(name, self._known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        if not self._where:
            return (
                f"{used_by} names the function {name!r} without its module, and no modules are configured; write"
                f" module:{name}, or list the module in functions.modules of the worker"
            )
        return f"{used_by} names the function {name!r}, which {self._where} do not have.{hint}"


def _import(name: str, why: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise ConfigurationError(
                f"{why}, and there is no module {error.name!r}; is it in the image, or on the Python path"
                f" ({', '.join(entry or '.' for entry in sys.path[:4])}, ...)?"
            ) from None
        raise ConfigurationError(f"{why}, and importing {name!r} failed: {error}{_place(error)}") from error
    # A module runs anything when it is imported, and may raise anything.
    except Exception as error:
        raise ConfigurationError(
            f"{why}, and importing {name!r} failed: {type(error).__name__}: {error}{_place(error)}"
        ) from error


def _place(error: Exception) -> str:
    """Where in the user's code it came from."""
    if isinstance(error, SyntaxError):
        return ""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    return f" ({frames[-1].filename}:{frames[-1].lineno})" if len(frames) > 1 else ""


def _attribute(module: ModuleType, name: str, why: str) -> Function:
    value = getattr(module, name, None)
    if value is None:
        named = [key for key, item in vars(module).items() if callable(item) and not key.startswith("_")]
        close = difflib.get_close_matches(name, named, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ConfigurationError(f"{why}, and module {module.__name__!r} ({module.__file__}) has no {name!r}{hint}")
    if not callable(value):
        raise ConfigurationError(f"{why}, and {name!r} in module {module.__name__!r} is a {type(value).__name__}")
    function: Function = value
    return function
