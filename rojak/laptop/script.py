"""A model that plays from a script, for manifests that are tried out without a key."""

from __future__ import annotations

import sys
import traceback
import types
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, cast

from rojak.manifests import Agent, Bundle, Key
from rojak.testing import ModelServer
from rojak.types.errors import ConfigurationError

#: Beside manifests, it plays the model's part for agents that have no key.
FILE: Final = "model_script.py"
_FUNCTION: Final = "write_script"


class Scripts:
    """The scripts that play, each on a server of its own."""

    def __init__(self) -> None:
        self._servers: dict[Path, ModelServer] = {}
        self._texts: dict[Path, str] = {}

    @property
    def paths(self) -> list[Path]:
        """Of the scripts that play."""
        return list(self._servers)

    def play(self, wanted: Mapping[Key, Path]) -> dict[Key, dict[str, str]]:
        """Play these, as they are now.

        Args:
            wanted: the script of each agent that has one.

        Returns:
            Where each agent's model is, by protocol.

        Raises:
            ConfigurationError: a script cannot be run; those that play go on.
        """
        return {key: self._urls(self._serve(path)) for key, path in wanted.items()}

    def stop(self) -> None:
        """End all."""
        for server in self._servers.values():
            server.__exit__(None, None, None)
        self._servers.clear()

    def _serve(self, path: Path) -> ModelServer:
        text = path.read_text(encoding="utf-8")
        server = self._servers.get(path)
        if server is not None and self._texts[path] == text:
            return server
        write = _load(path, text)
        if server is None:
            server = self._servers[path] = ModelServer(record=100).__enter__()
        server.reset()
        try:
            write(server)
        except Exception as error:
            raise _failure(path, error) from error
        self._texts[path] = text
        return server

    def _urls(self, server: ModelServer) -> dict[str, str]:
        return {"openai": server.base_url, "anthropic": server.anthropic_base_url}


def choose_scripts(bundle: Bundle, agents: Iterable[Agent], forced: Path | None) -> dict[Key, Path]:
    """The script of each agent that has one.

    Args:
        bundle: the manifests.
        agents: those that have no key.
        forced: for all agents, whether they have a key or not.
    """
    if forced is not None:
        return dict.fromkeys(bundle.agents, forced.resolve())
    found = {}
    for agent in agents:
        path = (bundle.folder_of(agent) / FILE).resolve()
        if path.is_file():
            found[Key(agent.namespace, agent.name)] = path
    return found


def _load(path: Path, text: str) -> Callable[[ModelServer], object]:
    module = types.ModuleType(f"rojak_script_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    before = [*sys.path]
    # What is beside it can be imported, as from a program.
    sys.path.insert(0, str(path.parent))
    try:
        exec(compile(text, str(path), "exec"), module.__dict__)
    except Exception as error:
        raise _failure(path, error) from error
    finally:
        sys.path[:] = before
    write = getattr(module, _FUNCTION, None)
    if not callable(write):
        raise ConfigurationError(f"{path} has no function {_FUNCTION}(model), which says what the model says")
    return cast("Callable[[ModelServer], object]", write)


def _failure(path: Path, error: BaseException) -> ConfigurationError:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    line = getattr(error, "lineno", None) or (frames[-1].lineno if frames else None)
    where = f"{path}:{line}" if line else str(path)
    return ConfigurationError(f"{where}: {type(error).__name__}: {error}")
