"""YAML as people write it: plain data, and where each part of it stands, so that errors can point there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from rojak.manifests.problems import Location, Place, Problem

#: Nodes of a file, aliases counted as often as they are used; more are an attack or a mistake.
_MAX_NODES: Final = 200_000
_STANDARD: Final = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """Reads what kubectl reads: times and ``9:30`` are text. Its errors are for people."""


class _FastLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # one of two classes
    """Reads the same ten times as fast, where PyYAML has it. Its errors are not for people."""


for _class in (_Loader, _FastLoader):
    _class.yaml_implicit_resolvers = {
        first: [item for item in resolvers if item[0].rsplit(":", 1)[1] in {"bool", "float", "merge", "null"}]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    _class.add_implicit_resolver(
        f"{_STANDARD}int", re.compile(r"^[-+]?(0|[1-9][0-9_]*|0o?[0-7]+|0x[0-9a-fA-F]+)$"), list("-+0123456789")
    )


@dataclass(slots=True)
class Document:
    """One document of a file.

    Attributes:
        file: where it was read.
        data: what it says.
        places: of its parts, by their location; of a field, where its name is.
    """

    file: str
    data: Any
    places: dict[Location, Place] = field(default_factory=dict)

    def place_of(self, location: Location) -> Place:
        """Where the part stands; what is not there stands where the next part around it does."""
        while location and location not in self.places:
            location = location[:-1]
        return self.places.get(location, Place(1, 1))

    def part(self, *location: str | int) -> Document:
        """A part of it as a document of its own: an item of a list of objects."""
        data: Any = self.data
        for step in location:
            data = data[step]
        size = len(location)
        places = {path[size:]: place for path, place in self.places.items() if path[:size] == location}
        return Document(self.file, data, places)


def parse(text: str, file: str, problems: list[Problem]) -> Iterator[Document]:
    """The documents of a text; what is wrong with the YAML is added to the problems."""
    try:
        nodes: Iterable[yaml.Node] = list(yaml.compose_all(text, _FastLoader))
    except (yaml.YAMLError, RecursionError):
        # Once more, slowly, to say what is wrong; what comes before it is read nevertheless.
        nodes = yaml.compose_all(text, _Loader)
    try:
        for node in nodes:
            document = Document(file, None)
            document.data = _Reader(document, problems).read(node, (), node.start_mark)
            if document.data is not None:
                yield document
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        problems.append(Problem(file, place, f"this is not YAML: {_reason(error)}"))
    except yaml.YAMLError as error:
        problems.append(Problem(file, Place(1, 1), f"this is not YAML: {error}".splitlines()[0]))
    except RecursionError:
        problems.append(Problem(file, Place(1, 1), "is nested too deeply; no manifest needs that"))


def _reason(error: yaml.MarkedYAMLError) -> str:
    said = ", ".join(part for part in (error.context, error.problem) if part)
    if "found character '\\t'" in said:
        return "there is a tab; indent with spaces"
    if "mapping values are not allowed here" in said:
        return "there is a second ': ' in the line, or the line is indented too far; put text with ': ' in quotes"
    return said


class _Reader:
    """Turns the nodes of a document into data, and notes where they stand."""

    def __init__(self, document: Document, problems: list[Problem]) -> None:
        self._loader = _Loader("")
        self._document = document
        self._problems = problems
        self._open: set[int] = set()
        self._count = 0

    def read(self, node: yaml.Node, location: Location, mark: Any) -> Any:
        self._document.places[location] = Place(mark.line + 1, mark.column + 1)
        self._count += 1
        if id(node) in self._open or self._count > _MAX_NODES:
            raise yaml.MarkedYAMLError(problem="an alias (*name) leads to itself, or far too often", problem_mark=mark)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, location)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.read(item, (*location, index), item.start_mark) for index, item in enumerate(node.value)]
            return self._mapping(node, location) if isinstance(node, yaml.MappingNode) else None
        finally:
            self._open.discard(id(node))

    def _scalar(self, node: yaml.ScalarNode, location: Location) -> Any:
        if node.tag not in {f"{_STANDARD}{name}" for name in ("null", "bool", "int", "float", "str")}:
            self._complain(node.start_mark, location, f"the tag {node.tag} is not supported; remove it")
            return node.value
        try:
            return self._loader.construct_object(node, deep=True)
        except ValueError:
            return node.value

    def _mapping(self, node: yaml.MappingNode, location: Location) -> dict[str, Any]:
        written = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
        self._loader.flatten_mapping(node)
        data: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != f"{_STANDARD}str":
                said = key.value if isinstance(key, yaml.ScalarNode) else "this"
                self._complain(
                    key.start_mark, location, f'the name of a field must be text; put it in quotes: "{said}"'
                )
                continue
            if key.value in data and written.count(key.value) > 1:
                first = self._document.places[*location, key.value]
                message = f"is there twice, first in line {first.line}; remove one of them"
                self._complain(key.start_mark, (*location, key.value), message)
                continue
            data[key.value] = self.read(value, (*location, key.value), key.start_mark)
        return data

    def _complain(self, mark: Any, location: Location, message: str) -> None:
        place = Place(mark.line + 1, mark.column + 1)
        self._problems.append(Problem(self._document.file, place, message, location=location))
