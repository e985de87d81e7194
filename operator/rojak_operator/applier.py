"""Makes objects as they should be: applies what differs, leaves alone what does not, removes what is not wanted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rojak_operator.desired.drift import find_drift
from rojak_operator.desired.names import DESIRED_HASH, controller_of
from rojak_operator.kube import ApiError, ConflictError, Kube
from rojak_operator.metrics import Metrics
from rojak_operator.own_writes import OwnWrites
from rojak_operator.resources import BY_KIND, Key
from rojak_operator.store import Store

logger = logging.getLogger(__name__)


@dataclass
class Applied:
    """How it went.

    Attributes:
        live: the objects as they are now, by kind.
        taken: objects of the same name that are not ours.
        refused: what the API server said about those that it did not take.
        drifted: kinds of those that somebody else had changed or deleted.
    """

    live: dict[str, dict[str, Any]] = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    drifted: list[str] = field(default_factory=list)


class Applier:
    """Applies on behalf of one operator."""

    def __init__(self, kube: Kube, store: Store, writes: OwnWrites, metrics: Metrics) -> None:
        self._kube = kube
        self._writes = writes
        self._store = store
        self._metrics = metrics
        # What the API server wrote differently than we did: it is not drift, however often it is found.
        self._rewritten: dict[tuple[Key, str], frozenset[str]] = {}

    async def apply_all(
        self,
        owner: Key,
        uid: str,
        desired: Sequence[Mapping[str, Any]],
        *,
        was_there: bool,
        keeps: Callable[[Mapping[str, Any]], bool] = lambda obj: False,
    ) -> Applied:
        """Make the objects of one owner as they should be.

        Args:
            owner: whose they are.
            uid: of the owner.
            desired: with owner reference and hash, in the order in which they are to be made.
            was_there: whether they had been applied before, so that one that is missing was deleted by somebody.
            keeps: whether an object of the owner stays as it is, though it is not among those that are desired.

        Raises:
            ApiError: the API server could not be asked, or may answer differently later.
        """
        applied = Applied()
        for obj in desired:
            await self._apply_one(obj, uid, applied, was_there=was_there)
        if not applied.refused and not applied.taken:
            await self._prune(owner, uid, desired, keeps)
        return applied

    async def apply_setting(self, obj: Mapping[str, Any]) -> None:
        """Make an object that belongs to nobody as it should be, unless it is being deleted.

        Raises:
            ApiError: the API server refused it, or could not be asked.
        """
        key = Key(obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"])
        live = self._store.read(key)
        if live is not None and (live["metadata"].get("deletionTimestamp") or not self._drift(key, obj, live)):
            return
        now = await self._kube.apply(obj)
        self._metrics.applied(key.kind, "created" if live is None else "changed")
        logger.info("%s was made as the operator's settings say", key)
        if rewritten := frozenset(find_drift(obj, now)):
            self._rewritten[key, _hash_of(obj)] = rewritten

    async def _apply_one(
        self, obj: Mapping[str, Any], uid: str, applied: Applied, *, was_there: bool, asks: bool = False
    ) -> None:
        kind, metadata = obj["kind"], obj["metadata"]
        key = Key(kind, metadata["namespace"], metadata["name"])
        # A new Deployment is made without asking for one before. If there is one of somebody else, its selector is
        # another one, which is one field: unless forced, the API server does not let us have it.
        tries = kind == "Deployment" and not was_there and not asks and self._store.get(key) is None
        live = None if tries else await self._find(key)
        if live is not None and controller_of(live).get("uid") != uid:
            self._metrics.applied(kind, "taken")
            applied.taken.append(str(key))
            return
        paths = self._drift(key, obj, live)
        if live is not None and not paths:
            self._metrics.applied(kind, "unchanged")
            applied.live[kind] = live
            return
        same_version = live is not None and _hash_of(live) == _hash_of(obj)
        if same_version or (live is None and was_there):
            applied.drifted.append(kind)
            self._metrics.drifted(kind)
            where = {"kind": key.kind, "namespace": key.namespace, "object": key.name, "paths": sorted(paths)[:10]}
            logger.warning("%s was changed or deleted by somebody else and is mended", key, extra=where)
        try:
            now = await self._writes.do(BY_KIND[kind], key, self._kube.apply(obj, force=not tries))
        except ApiError as error:
            if tries and isinstance(error, ConflictError):
                return await self._apply_one(obj, uid, applied, was_there=was_there, asks=True)
            self._metrics.applied(kind, "refused")
            if error.is_transient:
                raise
            applied.refused.append(f"{kind} {key.name}: {error}")
            return
        self._metrics.applied(kind, "created" if live is None else "changed")
        applied.live[kind] = now
        if rewritten := frozenset(find_drift(obj, now)):
            self._rewritten[key, _hash_of(obj)] = rewritten

    async def _find(self, key: Key) -> dict[str, Any] | None:
        live = self._store.read(key)
        if live is None and (BY_KIND[key.kind].owned or self._store.get(key) is not None):
            # The watch leaves out what does not carry our label, and is a moment behind.
            live = await self._kube.get(BY_KIND[key.kind], key.namespace, key.name)
        return live

    def _drift(self, key: Key, obj: Mapping[str, Any], live: Mapping[str, Any] | None) -> frozenset[str]:
        if live is None:
            return frozenset()
        return frozenset(find_drift(obj, live)) - self._rewritten.get((key, _hash_of(obj)), frozenset())

    async def _prune(
        self,
        owner: Key,
        uid: str,
        desired: Sequence[Mapping[str, Any]],
        keeps: Callable[[Mapping[str, Any]], bool],
    ) -> None:
        wanted = {(obj["kind"], obj["metadata"]["name"]) for obj in desired}
        for key in self._store.owned_by(owner):
            if (key.kind, key.name) in wanted or key.kind not in BY_KIND:
                continue
            live = self._store.read(key)
            if live is None or controller_of(live).get("uid") != uid or keeps(live):
                continue
            if await self._kube.delete(BY_KIND[key.kind], key.namespace, key.name, uid=live["metadata"]["uid"]):
                self._metrics.applied(key.kind, "deleted")
                logger.info("%s is not needed any more and was deleted", key)


def _hash_of(obj: Mapping[str, Any]) -> str:
    return str((obj["metadata"].get("annotations") or {}).get(DESIRED_HASH, ""))
