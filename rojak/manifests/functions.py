"""Looks for the functions that agents name in the Python files beside the manifests, without running any of them.

A function of a module that is not there may be in the image that the agent runs on: only its worker can tell.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from rojak.manifests.agent import Agent
from rojak.manifests.loading import Bundle, Key
from rojak.manifests.problems import Location, suggestion


def check_functions(bundle: Bundle) -> None:
    """Add functions that are not in the file that should have them to the bundle's problems."""
    for agent in bundle.agents.values():
        for location, name in _named_by(agent):
            module, colon, function = name.partition(":")
            found = _source_of(module, agent, bundle) if colon else None
            if found is not None and (message := _what_is_wrong(*found, function)):
                bundle.complain(agent, location, message)


def _named_by(agent: Agent) -> Iterator[tuple[Location, str]]:
    for index, tool in enumerate(agent.spec.tools):
        if tool.function is not None:
            yield ("spec", "tools", index, "function", "name"), tool.function.name
        if tool.retriever is not None and tool.retriever.qdrant.embed_function is not None:
            yield ("spec", "tools", index, "retriever", "qdrant", "embedFunction"), tool.retriever.qdrant.embed_function
    if agent.spec.instructions_function is not None:
        yield ("spec", "instructionsFunction"), agent.spec.instructions_function


def _source_of(module: str, agent: Agent, bundle: Bundle) -> tuple[str, str] | None:
    """Name and text of the file of the module, if it is there."""
    worker = agent.spec.worker
    if worker is not None and worker.functions is not None and worker.functions.config_map_ref is not None:
        files = bundle.config_maps.get(Key(agent.namespace, worker.functions.config_map_ref.name), {})
        if f"{module}.py" in files:
            return f"{module}.py in ConfigMap {worker.functions.config_map_ref.name!r}", files[f"{module}.py"]
    folder = bundle.folder_of(agent)
    for path in (
        folder.joinpath(*module.split(".")).with_suffix(".py"),
        folder.joinpath(*module.split("."), "__init__.py"),
    ):
        if path.is_file():
            return str(path), path.read_text(encoding="utf-8", errors="replace")
    return None


def _what_is_wrong(file: str, source: str, function: str) -> str | None:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        return f"{file}{line} is not Python: {getattr(error, 'msg', error)}"
    names = set(_defined_in(tree))
    if function in names or "*" in names:
        return None
    return f"there is no {function!r} in {file}{suggestion(function, names)}"


def _defined_in(tree: ast.Module) -> Iterator[str]:
    """Names that a module has, as far as they can be read off; ``*`` stands for more of them."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.alias(name=name, asname=other):
                yield other or name.split(".")[0]
