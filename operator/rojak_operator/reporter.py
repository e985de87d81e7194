"""Writes statuses, and tells of their transitions in Events."""

from __future__ import annotations

import logging
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rojak.manifests.hashing import hash_of
from rojak_operator.desired.conditions import Finding, merge_conditions, transitions
from rojak_operator.kube import ApiError, ConflictError, Kube, NotFoundError
from rojak_operator.own_writes import OwnWrites
from rojak_operator.resources import BY_KIND, Key

logger = logging.getLogger(__name__)

#: Events that were told already and are not told again, the newest ones.
_REMEMBERED = 4096
_TOLD = frozenset({"Accepted", "ResolvedRefs", "Programmed", "Synced", "Reachable", "Ready"})
#: Reasons that are steps on the way, or follow from another condition that is told.
_STEPS = frozenset({"RolloutInProgress", "NotAccepted", "RefsNotResolved", "NotProgrammed", "NotSynced"})
_MESSAGE_LENGTH = 1000


def utc_now() -> str:
    """The time as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Reporter:
    """Reports on behalf of one operator.

    Args:
        clock: the time as Kubernetes writes it.
    """

    def __init__(self, kube: Kube, writes: OwnWrites, *, clock: Callable[[], str] = utc_now) -> None:
        self._kube = kube
        self._writes = writes
        self._clock = clock
        # What was written last: a CRD that is older than we are drops fields, which is no reason to write again.
        self._written: dict[Key, str] = {}
        self._told: OrderedDict[tuple[Key, str], str] = OrderedDict()

    async def report(
        self, obj: Mapping[str, Any], findings: Sequence[Finding], status: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Write the status of an object of ours if it is another than before; the status."""
        metadata = obj["metadata"]
        key = Key(obj["kind"], metadata["namespace"], metadata["name"])
        old: Mapping[str, Any] = obj.get("status") or {}
        generation = int(metadata.get("generation", 0))
        conditions = merge_conditions(old.get("conditions") or [], findings, generation=generation, now=self._clock())
        new = {k: v for k, v in status.items() if v is not None}
        new |= {"observedGeneration": generation, "conditions": conditions}
        digest = hash_of([metadata.get("uid"), new])
        if new == old or self._written.get(key) == digest:
            return new
        # Not applied server-side: that refuses the whole status when a definition that is older than we are lacks a
        # field, and a patch only loses the field.
        patch = {"metadata": {"uid": metadata.get("uid")}, "status": merge_patch(old, new)}
        resource = BY_KIND[key.kind]
        request = self._kube.merge_patch(resource, key.namespace, key.name, patch, subresource="status")
        try:
            await self._writes.do(resource, key, request, generation=generation)
        except (NotFoundError, ConflictError):
            # It is gone, or has a successor of the same name, which will be looked at by itself.
            return new
        self._written[key] = digest
        for condition in transitions(old.get("conditions") or [], conditions):
            if _is_worth_telling(old.get("conditions") or [], condition):
                await self.tell(obj, condition["reason"], condition["message"], warning=condition["status"] == "False")
        return new

    def forget(self, key: Key) -> None:
        """The object is gone."""
        self._written.pop(key, None)

    async def tell(self, obj: Mapping[str, Any], reason: str, message: str, *, warning: bool = False) -> None:
        """Post an Event about an object, unless the same was told last. It is a courtesy: failing to is only logged."""
        metadata = obj["metadata"]
        key = Key(obj["kind"], metadata["namespace"], metadata["name"])
        if self._told.get((key, reason)) == message:
            return
        now = self._clock()
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{key.name}.{uuid.uuid4().hex[:16]}", "namespace": key.namespace},
            "involvedObject": {
                "apiVersion": BY_KIND[key.kind].api_version,
                "kind": key.kind,
                "namespace": key.namespace,
                "name": key.name,
                "uid": metadata.get("uid"),
                "resourceVersion": metadata.get("resourceVersion"),
            },
            "type": "Warning" if warning else "Normal",
            "reason": reason,
            "message": message[:_MESSAGE_LENGTH],
            "source": {"component": "rojak-operator"},
            "reportingComponent": "rojak-operator",
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        try:
            await self._kube.create(event)
        except ApiError as error:
            logger.warning("an Event about %s was not posted: %s", key, error.reason)
            return
        self._told[key, reason] = message
        while len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)


def merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON merge patch that makes ``new`` of ``old``."""
    patch: dict[str, Any] = {name: None for name in old if name not in new}
    for name, value in new.items():
        before = old.get(name)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            if inner := merge_patch(before, value):
                patch[name] = inner
        elif before != value:
            patch[name] = value
    return patch


def _is_worth_telling(old: Sequence[Mapping[str, Any]], new: Mapping[str, Any]) -> bool:
    """Whether people want to hear of a transition: what goes wrong, what is well again, and the first readiness."""
    if new["reason"] in _STEPS:
        return False
    before = next((c.get("status") for c in old if c.get("type") == new["type"]), None)
    if new["status"] == "False":
        return new["type"] in _TOLD
    return new["status"] == "True" and (new["type"] == "Ready" or (new["type"] in _TOLD and before == "False"))
