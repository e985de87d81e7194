"""Reads manifests from files and folders: all of them, and everything that is wrong with them at once."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from rojak.manifests.agent import Agent
from rojak.manifests.documents import Document, parse
from rojak.manifests.mcp_server import MCPServer
from rojak.manifests.problems import Location, ManifestError, Place, Problem, Severity, suggestion
from rojak.manifests.resource import API_VERSION, GROUP, Resource
from rojak.manifests.schedule import Schedule
from rojak.manifests.validation import label_of, validate
from rojak.manifests.worker import WorkerPool

#: Our kinds, by their names.
KINDS: Final[dict[str, type[Resource]]] = {kind.__name__: kind for kind in (Agent, MCPServer, Schedule, WorkerPool)}
_SUFFIXES: Final = (".yaml", ".yml")
#: Folders that hold no manifests of ours.
_SKIPPED: Final = frozenset({"node_modules", "__pycache__"})


class Key(NamedTuple):
    """Tells an object among those of its kind."""

    namespace: str
    name: str


@dataclass(slots=True)
class Bundle:
    """The manifests of some files.

    Attributes:
        agents: the Agents.
        mcp_servers: the MCPServers.
        schedules: the Schedules.
        worker_pools: the WorkerPools.
        config_maps: the data of plain ConfigMaps.
        secrets: the data of plain Secrets, decoded.
        documents: what each object was read from, by kind and key; those that are not valid too.
        problems: what is wrong.
        files: all files that were read.
    """

    agents: dict[Key, Agent] = field(default_factory=dict)
    mcp_servers: dict[Key, MCPServer] = field(default_factory=dict)
    schedules: dict[Key, Schedule] = field(default_factory=dict)
    worker_pools: dict[Key, WorkerPool] = field(default_factory=dict)
    config_maps: dict[Key, dict[str, str]] = field(default_factory=dict)
    secrets: dict[Key, dict[str, str]] = field(default_factory=dict, repr=False)
    documents: dict[tuple[str, Key], Document] = field(default_factory=dict, repr=False)
    problems: list[Problem] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    def objects_of(self, kind: str) -> dict[Key, Any]:
        """The objects of one of our kinds."""
        by_kind: dict[str, dict[Key, Any]] = {
            "Agent": self.agents,
            "MCPServer": self.mcp_servers,
            "Schedule": self.schedules,
            "WorkerPool": self.worker_pools,
        }
        return by_kind[kind]

    @property
    def resources(self) -> Iterator[Resource]:
        """All objects of our kinds."""
        for objects in (self.agents, self.mcp_servers, self.schedules, self.worker_pools):
            yield from objects.values()

    @property
    def errors(self) -> list[Problem]:
        """What keeps the manifests from being used."""
        return [problem for problem in self.problems if problem.severity == "error"]

    def check(self) -> None:
        """See that they can be used.

        Raises:
            ManifestError: something is wrong; all of it.
        """
        if self.errors:
            raise ManifestError(self.errors)

    def place_of(self, resource: Resource, location: Location) -> Place:
        """Where a part of the object stands in its file."""
        return self._document(resource).place_of(location)

    def folder_of(self, resource: Resource) -> Path:
        """The folder of the file that the object was read from."""
        return Path(self._document(resource).file).parent

    def complain(self, resource: Resource, location: Location, message: str, *, warn: bool = False) -> None:
        """Add a problem of one of the objects."""
        document = self._document(resource)
        name = f"{type(resource).__name__}/{resource.name}"
        place = document.place_of(location)
        severity: Severity = "warning" if warn else "error"
        self.problems.append(Problem(document.file, place, message, name, location, severity))

    def _document(self, resource: Resource) -> Document:
        return self.documents[type(resource).__name__, Key(resource.namespace, resource.name)]


def read(paths: Iterable[str | Path], *, namespace: str = "default") -> Bundle:
    """Read files and folders, folders with everything in them.

    Args:
        paths: of the files and folders.
        namespace: where objects are that do not say.

    Returns:
        What was found, with everything that is wrong with it: see `Bundle.problems`.
    """
    bundle, paths = Bundle(), list(paths)
    for path in paths:
        for file in _files_of(Path(path), bundle):
            _read_file(file, bundle, namespace)
    if not bundle.problems and not bundle.documents:
        said = ", ".join(str(path) for path in paths)
        bundle.problems.append(Problem(said, Place(1, 1), f"no manifest of {API_VERSION} is there (*.yaml, *.yml)"))
    return bundle


def read_text(text: str, *, file: str = "<text>", namespace: str = "default") -> Bundle:
    """Read manifests from a text."""
    bundle = Bundle()
    for document in parse(text, file, bundle.problems):
        _take(document, bundle, namespace)
    return bundle


def _files_of(path: Path, bundle: Bundle) -> Iterator[Path]:
    if path.is_dir():
        for entry in sorted(path.iterdir()):
            if entry.name.startswith(".") or entry.name in _SKIPPED:
                continue
            if entry.is_dir() or entry.suffix in _SUFFIXES:
                yield from _files_of(entry, bundle)
    elif path.exists():
        if path not in bundle.files:
            yield path
    else:
        bundle.problems.append(Problem(str(path), Place(1, 1), "there is no such file or folder"))


def _read_file(file: Path, bundle: Bundle, namespace: str) -> None:
    bundle.files.append(file)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is not text in UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror
        bundle.problems.append(Problem(str(file), Place(1, 1), f"cannot be read: {reason}"))
        return
    for document in parse(text, str(file), bundle.problems):
        _take(document, bundle, namespace)


def _take(document: Document, bundle: Bundle, namespace: str) -> None:
    data = document.data

    def complain(message: str, *location: str | int, about: str = "") -> None:
        bundle.problems.append(Problem(document.file, document.place_of(location), message, about, location))

    if not isinstance(data, dict):
        complain("this is not a manifest: it has to be a mapping that begins with apiVersion, kind and metadata")
        return
    kind, version = data.get("kind"), data.get("apiVersion")
    if kind == "List" and isinstance(data.get("items"), list):
        for index in range(len(data["items"])):
            _take(document.part("items", index), bundle, namespace)
        return
    if not isinstance(kind, str) or not isinstance(version, str):
        missing = "kind" if not isinstance(kind, str) else "apiVersion"
        complain(f"this is not a manifest: {missing} is missing; ours begin with apiVersion: {API_VERSION}")
    elif (kind, version) in (("ConfigMap", "v1"), ("Secret", "v1")):
        _take_plain(document, bundle, namespace)
    elif version == API_VERSION and kind in KINDS:
        _take_resource(KINDS[kind], document, bundle, namespace)
    elif version == API_VERSION:
        complain(f"there is no kind {kind!r}; there are {', '.join(KINDS)}{suggestion(kind, KINDS)}", "kind")
    elif version.split("/")[0] == GROUP or (kind in KINDS and suggestion(version, [API_VERSION])):
        complain(f"must be {API_VERSION}, not {version!r}", "apiVersion", about=label_of(data))
    # What is left is somebody else's: a Deployment, a Namespace.


def _take_resource(cls: type[Resource], document: Document, bundle: Bundle, namespace: str) -> None:
    resource = validate(cls, document, bundle.problems)
    metadata = document.data.get("metadata")
    if resource is None:
        # It is there, though: what refers to it need not be told that it is not.
        if isinstance(metadata, Mapping) and isinstance(metadata.get("name"), str):
            key = Key(str(metadata.get("namespace") or namespace), metadata["name"])
            bundle.documents.setdefault((cls.__name__, key), document)
        return
    if "namespace" not in resource.metadata.model_fields_set:
        resource.metadata.namespace = namespace
    if _is_new(cls.__name__, resource.name, resource.namespace, document, bundle):
        bundle.objects_of(cls.__name__)[Key(resource.namespace, resource.name)] = resource


def _is_new(kind: str, name: str, namespace: str, document: Document, bundle: Bundle) -> bool:
    key = (kind, Key(namespace, name))
    other = bundle.documents.setdefault(key, document)
    if other is not document:
        line = other.place_of(("metadata", "name")).line
        location = ("metadata", "name")
        message = f"is there twice, first in {other.file}:{line}; rename or remove one of them"
        place = document.place_of(location)
        bundle.problems.append(Problem(document.file, place, message, f"{kind}/{name}", location))
    return other is document


def _take_plain(document: Document, bundle: Bundle, namespace: str) -> None:
    """Take a ConfigMap or a Secret, of which we read no more than what manifests refer to."""
    data, kind = document.data, document.data["kind"]
    label = label_of(data)

    def complain(message: str, *location: str | int) -> None:
        bundle.problems.append(Problem(document.file, document.place_of(location), message, label, location))

    metadata = data.get("metadata")
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("name"), str):
        complain("metadata.name is missing")
        return
    values: dict[str, str] = {}
    for section in ("data", "stringData" if kind == "Secret" else "data"):
        entries = data.get(section) or {}
        if not isinstance(entries, Mapping):
            complain("must be a mapping: fields with ': ', indented", section)
            continue
        for key, value in entries.items():
            if not isinstance(value, str):
                complain("must be text; put it in quotes", section, key)
            elif kind == "Secret" and section == "data":
                try:
                    values[key] = base64.b64decode("".join(value.split()), validate=True).decode()
                except (binascii.Error, UnicodeDecodeError):
                    complain("must be text in base64; write plain text under stringData instead", section, key)
            else:
                values[key] = value
    name, where = metadata["name"], str(metadata.get("namespace") or namespace)
    if _is_new(kind, name, where, document, bundle):
        (bundle.secrets if kind == "Secret" else bundle.config_maps)[Key(where, name)] = values
