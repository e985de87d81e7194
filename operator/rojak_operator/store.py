"""What the watches brought: the operator's memory of the cluster, small enough to hold a large one.

Objects are kept as compressed JSON without what is of no use here. Of Secrets, and of ConfigMaps that are not ours,
only a hash and the names of the keys are kept.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rojak_operator.desired.names import controller_of
from rojak_operator.desired.references import Reference, references_of
from rojak_operator.kube import Kube
from rojak_operator.resources import (
    GROUP,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    MANIFESTS,
    REFERENCED,
    Key,
    Resource,
)

_MANIFEST_KINDS = {resource.kind for resource in MANIFESTS}
_REFERENCED_KINDS = {resource.kind for resource in REFERENCED}


@dataclass(frozen=True, slots=True)
class Stored:
    """One object.

    Attributes:
        uid: of the object.
        resource_version: of what is stored.
        owner: the object of ours that it belongs to, if any.
        raw: the object, compressed; empty where only the hash is kept.
        data_hash: of a Secret's or ConfigMap's data.
        keys: of a Secret or ConfigMap.
        scaled_by_other: somebody else set its replicas through the scale subresource.
    """

    uid: str
    resource_version: str
    owner: Key | None
    raw: bytes = b""
    data_hash: str = ""
    keys: frozenset[str] = frozenset()
    scaled_by_other: bool = False

    def read(self) -> dict[str, Any]:
        """The object."""
        obj: dict[str, Any] = json.loads(zlib.decompress(self.raw))
        return obj


@dataclass
class Store:
    """The objects of the cluster that concern us, and which of ours refer to which."""

    _objects: dict[Key, Stored] = field(default_factory=dict)
    _by_place: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    _by_owner: dict[Key, set[Key]] = field(default_factory=lambda: defaultdict(set))
    _referrers: dict[Key, set[Key]] = field(default_factory=lambda: defaultdict(set))
    _references: dict[Key, frozenset[Key]] = field(default_factory=dict)

    def put(self, key: Key, stored: Stored, references: Iterable[Reference] = ()) -> bool:
        """Remember an object. Whether it is new or another version than before."""
        before = self._objects.get(key)
        if before is not None:
            if before.resource_version == stored.resource_version and before.uid == stored.uid:
                return False
            self._forget_links(key, before)
        self._objects[key] = stored
        self._by_place[key.kind, key.namespace].add(key.name)
        if stored.owner is not None:
            self._by_owner[stored.owner].add(key)
        targets = frozenset(Key(ref.kind, key.namespace, ref.name) for ref in references)
        if targets:
            self._references[key] = targets
            for target in targets:
                self._referrers[target].add(key)
        return True

    def remove(self, key: Key) -> Stored | None:
        """Forget an object; what it was."""
        stored = self._objects.pop(key, None)
        if stored is not None:
            self._forget_links(key, stored)
            names = self._by_place[key.kind, key.namespace]
            names.discard(key.name)
            if not names:
                del self._by_place[key.kind, key.namespace]
        return stored

    def get(self, key: Key) -> Stored | None:
        """An object, or None."""
        return self._objects.get(key)

    def read(self, key: Key) -> dict[str, Any] | None:
        """An object in the API's form, or None."""
        stored = self._objects.get(key)
        return stored.read() if stored is not None and stored.raw else None

    def names(self, kind: str, namespace: str) -> list[str]:
        """Names of the objects of a kind in a namespace, in order."""
        return sorted(self._by_place.get((kind, namespace), ()))

    def keys(self, kind: str) -> Iterator[Key]:
        """Keys of all objects of a kind."""
        for (known, namespace), names in list(self._by_place.items()):
            if known == kind:
                for name in list(names):
                    yield Key(kind, namespace, name)

    def versions(self, kind: str) -> dict[str, str]:
        """ResourceVersion by uid, of all objects of a kind."""
        return {(s := self._objects[key]).uid: s.resource_version for key in self.keys(kind)}

    def owned_by(self, owner: Key) -> list[Key]:
        """What we made for an object."""
        return sorted(self._by_owner.get(owner, ()))

    def referrers(self, target: Key) -> list[Key]:
        """Manifests that refer to an object, whether it exists or not."""
        return sorted(self._referrers.get(target, ()))

    def targets(self, key: Key) -> list[Key]:
        """What a manifest refers to."""
        return sorted(self._references.get(key, ()))

    def count(self, kind: str) -> int:
        """How many there are of a kind."""
        return sum(len(names) for (known, _), names in self._by_place.items() if known == kind)

    def _forget_links(self, key: Key, stored: Stored) -> None:
        if stored.owner is not None:
            _discard(self._by_owner, stored.owner, key)
        for target in self._references.pop(key, ()):
            _discard(self._referrers, target, key)


@dataclass(frozen=True)
class Namespace:
    """What there is in one namespace; see `desired.references.Existing`."""

    store: Store
    name: str

    def exists(self, kind: str, name: str) -> bool:
        """Whether there is such an object."""
        return self.store.get(Key(kind, self.name, name)) is not None

    def has_key(self, kind: str, name: str, key: str) -> bool:
        """Whether the Secret or ConfigMap has that key."""
        stored = self.store.get(Key(kind, self.name, name))
        return stored is not None and key in stored.keys

    def data_hash(self, kind: str, name: str) -> str:
        """Hash of the data of a Secret or ConfigMap; empty if there is none."""
        stored = self.store.get(Key(kind, self.name, name))
        return stored.data_hash if stored is not None else ""


async def fill_store(store: Store, kube: Kube, resources: Iterable[Resource], namespaces: Iterable[str]) -> None:
    """Remember all there is, so that nobody decides by half of the cluster.

    Raises:
        ApiError: something could not be listed.
    """
    for resource in resources:
        selector = f"{MANAGED_BY_LABEL}={MANAGED_BY}" if resource.owned else None
        places: list[str | None] = [*namespaces]
        for namespace in places or [None]:
            async for obj in kube.iterate(resource, namespace, label_selector=selector):
                key, stored, references = make_stored(resource, obj)
                store.put(key, stored, references)


def make_stored(resource: Resource, obj: Mapping[str, Any]) -> tuple[Key, Stored, list[Reference]]:
    """What is to be remembered of an object, and what it refers to."""
    metadata = obj["metadata"]
    key = Key(resource.kind, metadata.get("namespace", ""), metadata["name"])
    ours = (metadata.get("labels") or {}).get(MANAGED_BY_LABEL) == MANAGED_BY
    references: list[Reference] = []
    data_hash, names = "", frozenset[str]()
    if resource.kind in _MANIFEST_KINDS:
        references = references_of(obj.get("spec") or {})
    if resource.kind in _REFERENCED_KINDS:
        data_hash, names = hash_data(obj), frozenset([*(obj.get("data") or {}), *(obj.get("binaryData") or {})])
    keeps_all = resource.kind not in _REFERENCED_KINDS or (ours and resource.kind != "Secret")
    return (
        key,
        Stored(
            uid=metadata.get("uid", ""),
            resource_version=metadata.get("resourceVersion", ""),
            owner=_owner_of(obj),
            raw=_compress(resource, obj) if keeps_all else b"",
            data_hash=data_hash,
            keys=names,
            scaled_by_other=_is_scaled_by_other(metadata),
        ),
        references,
    )


def hash_data(obj: Mapping[str, Any]) -> str:
    """Hash of the data of a Secret or ConfigMap."""
    digest = hashlib.sha256()
    for field_name in ("data", "binaryData"):
        for name, value in sorted((obj.get(field_name) or {}).items()):
            digest.update(f"{field_name}\0{name}\0{value}\0".encode())
    return digest.hexdigest()[:16]


def _compress(resource: Resource, obj: Mapping[str, Any]) -> bytes:
    metadata = {k: v for k, v in obj["metadata"].items() if k != "managedFields"}
    named = {"apiVersion": resource.api_version, "kind": resource.kind}
    return zlib.compress(json.dumps({**obj, **named, "metadata": metadata}, separators=(",", ":")).encode(), 3)


def _owner_of(obj: Mapping[str, Any]) -> Key | None:
    reference = controller_of(obj)
    if not str(reference.get("apiVersion", "")).startswith(f"{GROUP}/"):
        return None
    return Key(reference["kind"], obj["metadata"].get("namespace", ""), reference["name"])


def _is_scaled_by_other(metadata: Mapping[str, Any]) -> bool:
    return any(
        entry.get("subresource") == "scale" and "f:replicas" in entry.get("fieldsV1", {}).get("f:spec", {})
        for entry in metadata.get("managedFields") or []
    )


def _discard(index: dict[Key, set[Key]], at: Key, key: Key) -> None:
    entries = index.get(at)
    if entries is not None:
        entries.discard(key)
        if not entries:
            del index[at]
