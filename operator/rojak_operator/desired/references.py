"""What a manifest refers to by name.

References are found by the names of their fields, wherever they are, so that a new field needs no code here. What is
free data, such as context variables, is not looked into.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

#: Field -> the kind that its ``name`` names.
_FIELDS: Final = {
    "agentRef": "Agent",
    "serverRef": "MCPServer",
    "workerPoolRef": "WorkerPool",
    "secretKeyRef": "Secret",
    "secretRef": "Secret",
    "clientCertSecretRef": "Secret",
    "configMapKeyRef": "ConfigMap",
    "configMapRef": "ConfigMap",
}
_FREE: Final = {"contextVariables", "outputSchema", "parameters"}
_ORDER: Final = ("WorkerPool", "Secret", "ConfigMap", "Agent", "MCPServer")


@dataclass(frozen=True, order=True)
class Reference:
    """An object of the same namespace, and the key in it if one is named."""

    kind: str
    name: str
    key: str | None = None
    optional: bool = False

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}" + (f" key {self.key}" if self.key else "")


@dataclass(frozen=True)
class Missing:
    """A reference to what is not there, and the condition's reason for it."""

    reference: Reference
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.reference.kind} {self.reference.name!r} does not exist"
            if "Key" not in self.reason
            else (f"{self.reference.kind} {self.reference.name!r} has no key {self.reference.key!r}")
        )


class Existing(Protocol):
    """What there is in a namespace."""

    def exists(self, kind: str, name: str) -> bool:
        """Whether there is such an object."""

    def has_key(self, kind: str, name: str, key: str) -> bool:
        """Whether the Secret or ConfigMap has that key."""

    def data_hash(self, kind: str, name: str) -> str:
        """Hash of the data of a Secret or ConfigMap; empty if there is none."""


def references_of(spec: Mapping[str, Any]) -> list[Reference]:
    """What the spec of a manifest, in the API's form, refers to; each once, in a stable order."""
    found = set(_walk(spec))
    return sorted(found, key=lambda ref: (_ORDER.index(ref.kind), ref.name, ref.key or "", ref.optional))


def find_missing(references: Iterable[Reference], existing: Existing) -> list[Missing]:
    """Those that point to nothing, except where that is allowed."""
    missing = []
    for reference in references:
        if reference.optional:
            continue
        if not existing.exists(reference.kind, reference.name):
            missing.append(Missing(reference, f"{reference.kind}NotFound"))
        elif reference.key and not existing.has_key(reference.kind, reference.name, reference.key):
            missing.append(Missing(reference, f"{reference.kind}KeyNotFound"))
    return missing


def data_hashes(references: Iterable[Reference], existing: Existing) -> dict[str, str]:
    """Hashes of the Secrets and ConfigMaps among them: what has to roll pods when it changes."""
    return {
        f"{reference.kind}/{reference.name}": existing.data_hash(reference.kind, reference.name)
        for reference in references
        if reference.kind in ("Secret", "ConfigMap")
    }


def _walk(value: Any) -> Iterator[Reference]:
    if isinstance(value, list):
        for item in value:
            yield from _walk(item)
    elif isinstance(value, Mapping):
        for field, inner in value.items():
            if field in _FREE:
                continue
            yield from _reference(field, inner)
            yield from _walk(inner)


def _reference(field: str, value: Any) -> Iterator[Reference]:
    if field == "imagePullSecrets":
        for item in value or []:
            yield from _named("Secret", item, "name")
    elif not isinstance(value, Mapping):
        return
    elif field in _FIELDS:
        yield from _named(_FIELDS[field], value, "name")
    # Pod templates name volumes' sources in their own way.
    elif field == "secret":
        yield from _named("Secret", value, "secretName")
    elif field == "configMap":
        yield from _named("ConfigMap", value, "name")


def _named(kind: str, value: Mapping[str, Any], field: str) -> Iterator[Reference]:
    name = value.get(field)
    if isinstance(name, str) and name:
        key = value.get("key")
        yield Reference(kind, name, key if isinstance(key, str) else None, value.get("optional") is True)
