"""Names, labels, owners and hashes of what we make."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from rojak.manifests import Resource
from rojak.manifests.hashing import hash_of
from rojak_operator.resources import MANAGED_BY, MANAGED_BY_LABEL

#: On every object that we apply: hash of what it should be, so that a change of ours is told from one by others.
DESIRED_HASH: Final = "rojak.dev/desired-hash"
#: On a pod template: hash of the configuration that its pods read when they start.
CONFIG_HASH: Final = "rojak.dev/config-hash"
#: On a pod template: hash of the Secrets and ConfigMaps that its pods refer to.
REFERENCES_HASH: Final = "rojak.dev/references-hash"
#: On a worker's ConfigMap: which generation of which Agent it holds.
AGENT_GENERATIONS: Final = "rojak.dev/agent-generations"
#: A Schedule's annotation: a new value runs it once, now.
TRIGGER: Final = "rojak.dev/trigger"
#: A Schedule's annotation: ``<from>/<to>``; a new value makes up for the runs of that time.
BACKFILL: Final = "rojak.dev/backfill"
#: On a Schedule: the Temporal that it is in, without secrets, so that it can be deleted there when the Agent is gone.
CONNECTION: Final = "rojak.dev/temporal"
#: On what belongs to one version of a pool's code: which one.
BUILD_ID: Final = "rojak.dev/build-id"
FINALIZER: Final = "rojak.dev/cleanup"

#: What is put after an owner's name, so that an Agent, a WorkerPool and an MCPServer of one name get on.
_SUFFIXES: Final = {"Agent": "agent", "WorkerPool": "pool", "MCPServer": "mcp"}
_LABEL_OF: Final = {
    "Agent": "rojak.dev/agent",
    "WorkerPool": "rojak.dev/worker-pool",
    "MCPServer": "rojak.dev/mcp-server",
}


def object_name(kind: str, name: str) -> str:
    """The name of what we make for an object of ours, at most 63 characters: it becomes a label and a host name."""
    whole = f"{name}-{_SUFFIXES[kind]}"
    if len(whole) <= 63:
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{name[: 63 - len(_SUFFIXES[kind]) - 10]}-{digest}-{_SUFFIXES[kind]}"


def version_name(kind: str, name: str, build_id: str | None) -> str:
    """The name of what we make for a version of an object's code; without a version as `object_name`."""
    whole = object_name(kind, name)
    if build_id is None:
        return whole
    digest = hashlib.sha256(build_id.encode()).hexdigest()[:8]
    if len(whole) > 54:
        whole = f"{whole[:45]}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"
    return f"{whole}-{digest}"


def selector_of(kind: str, name: str, build_id: str | None = None) -> dict[str, str]:
    """The labels by which a Deployment finds its pods. They can never change: keep them few."""
    return {_LABEL_OF[kind]: name} | ({BUILD_ID: build_id} if build_id is not None else {})


def labels_of(kind: str, name: str, build_id: str | None = None) -> dict[str, str]:
    """The labels of what we make."""
    return {
        **selector_of(kind, name, build_id),
        "app.kubernetes.io/name": "rojak-mcp-server" if kind == "MCPServer" else "rojak-worker",
        "app.kubernetes.io/instance": object_name(kind, name),
        MANAGED_BY_LABEL: MANAGED_BY,
    }


def metadata_of(owner: Resource, kind: str, name: str | None = None, *, build_id: str | None = None) -> dict[str, Any]:
    """Metadata of an object that belongs to ``owner``, or to a version of its code, and goes with it."""
    return {
        "name": name or version_name(kind, owner.name, build_id),
        "namespace": owner.namespace,
        "labels": labels_of(kind, owner.name, build_id),
        "ownerReferences": [
            {
                "apiVersion": "rojak.dev/v1alpha1",
                "kind": kind,
                "name": owner.name,
                "uid": owner.metadata.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }


def with_hash(obj: dict[str, Any]) -> dict[str, Any]:
    """The object with an annotation that tells this version of it from others. Replicas do not count."""
    spec = obj.get("spec")
    counted = obj | {"spec": {k: v for k, v in spec.items() if k != "replicas"}} if isinstance(spec, dict) else obj
    metadata = obj["metadata"]
    annotations = {**metadata.get("annotations", {}), DESIRED_HASH: hash_of(counted)}
    return obj | {"metadata": metadata | {"annotations": annotations}}


def controller_of(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """The owner reference of the controller; empty if there is none."""
    for reference in obj["metadata"].get("ownerReferences") or []:
        if reference.get("controller"):
            return reference  # type: ignore[no-any-return]
    return {}
