"""Versions of a pool's code: what names them, which stay beside the one that is wanted, and what is told of them.

A version is the code and nothing else: another image, command or function makes a new one, another instruction does
not. A version that is not wanted any more keeps its objects as they were, until Temporal says that nothing needs it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from rojak.manifests import Resource, WorkerSpec, seconds_of
from rojak.manifests.hashing import hash_of
from rojak_operator.desired.defaults import Defaults
from rojak_operator.desired.merge import strategic_merge
from rojak_operator.desired.names import BUILD_ID, object_name

#: Of a tag in a build id, so that the whole of it fits into a label.
_TAG_LENGTH: Final = 40
#: What of a container decides which code runs in it.
_CODE: Final = ("image", "command", "args")
#: The state of a version in Temporal that never was the current one.
INACTIVE: Final = "Inactive"
DRAINED: Final = "Drained"
DRAINING: Final = "Draining"


@dataclass(frozen=True)
class Version:
    """The version that is wanted.

    Attributes:
        build_id: names it.
        is_current: whether it gets what begins now. Until it does, it has a worker at least: one that is not there
            cannot become current.
    """

    build_id: str
    is_current: bool = False


@dataclass(frozen=True)
class VersionState:
    """A version as Temporal has it: ``state`` in its words, and since when it is drained."""

    state: str
    drained_since: str | None = None


@dataclass(frozen=True)
class Routing:
    """What Temporal does with the versions of a pool.

    Attributes:
        current: build id of the version that gets what begins now; empty: workers without a version.
        versions: all that it knows, by build id.
        is_settled: whether all of Temporal knows who is current.
    """

    current: str = ""
    versions: Mapping[str, VersionState] = field(default_factory=dict)
    is_settled: bool = True


def deployment_of(owner: Resource) -> str:
    """The name of the Worker Deployment in Temporal: one for all versions of a pool."""
    return f"{owner.namespace}/{object_name(type(owner).__name__, owner.name)}"


def is_managed(spec: WorkerSpec) -> bool:
    """Whether versions run side by side."""
    return spec.versioning is not None and spec.versioning.mode == "Managed"


def build_id_of(spec: WorkerSpec, functions: Mapping[str, str], defaults: Defaults) -> str:
    """What names the version of the code: the manifest's own word for it, or the image's tag and a hash.

    Args:
        spec: of the workers.
        functions: the files of its ConfigMap of functions, if it has one.
        defaults: of the operator.
    """
    if spec.versioning is not None and spec.versioning.build_id is not None:
        return spec.versioning.build_id
    plain = {"spec": {"containers": [{"name": "worker", "image": spec.image or defaults.image}]}}
    pod = strategic_merge(plain, spec.pod_template or {})["spec"]
    worker = next(c for c in pod["containers"] if c["name"] == "worker")
    code: dict[str, Any] = {
        "worker": {name: worker.get(name) for name in _CODE},
        "init": [{name: c.get(name) for name in _CODE} for c in pod.get("initContainers") or []],
        "modules": spec.functions.modules if spec.functions else None,
        "functions": dict(functions),
    }
    digest = hash_of(code, 10)
    image = str(worker.get("image")).partition("@")[0].rpartition("/")[2]
    tag = re.sub(r"[^a-z0-9.-]+", "-", image.partition(":")[2].lower())[:_TAG_LENGTH].strip(".-")
    return f"{tag}-{digest}" if tag else digest


def is_kept(obj: Mapping[str, Any], kept: Iterable[str]) -> bool:
    """Whether an object belongs to a version that stays as it is. The empty build id: workers without a version."""
    build_id = (obj["metadata"].get("labels") or {}).get(BUILD_ID, "")
    # Two autoscalers would see the same pods: those of workers without a version are selected by fewer labels.
    is_plain = build_id or obj["kind"] in ("Deployment", "ConfigMap", "PodDisruptionBudget")
    return bool(is_plain) and build_id in kept


def versions_that_stay(
    existing: Iterable[str], target: str, routing: Routing | None, keep_drained: str, now: datetime
) -> tuple[set[str], float | None]:
    """The versions whose workers stay beside those of the target, and in how many seconds the next one may go.

    Args:
        existing: build ids of those that have a Deployment; the empty one: workers without a version.
        target: the version that is wanted; empty: workers without a version.
        routing: as Temporal has it, looked at after it was known what is wanted; None: not known.
        keep_drained: how long a version stays that nothing needs any more.
        now: the time.
    """
    stay: set[str] = set()
    soonest: float | None = None
    for build_id in set(existing) - {target}:
        known = routing.versions.get(build_id) if routing is not None else None
        if routing is None or build_id == routing.current:
            stay.add(build_id)
        elif not build_id:
            # Without a version they get nothing new once a version is current, and end in good order.
            continue
        elif known is None or known.state == INACTIVE:
            # It never got work.
            continue
        elif known.state != DRAINED or known.drained_since is None or routing.current != target:
            stay.add(build_id)
        else:
            left = seconds_of(keep_drained) - (now - _time(known.drained_since)).total_seconds()
            if left > 0:
                stay.add(build_id)
                soonest = left if soonest is None else min(soonest, left)
    return stay, soonest


def versions_status(deployments: Mapping[str, str], routing: Routing | None) -> list[dict[str, Any]]:
    """The versions for the status: those that have workers, and those on which sessions still are.

    Args:
        deployments: names by build id.
        routing: as Temporal has it.
    """
    known = routing.versions if routing is not None else {}
    alive = {build_id for build_id, version in known.items() if version.state not in (INACTIVE, DRAINED)}
    told = []
    for build_id in sorted(alive | {build_id for build_id in deployments if build_id}):
        version = known.get(build_id, VersionState(INACTIVE))
        entry = {"buildID": build_id, "state": version.state, "deployment": deployments.get(build_id)}
        entry["drainedSince"] = version.drained_since
        told.append({name: value for name, value in entry.items() if value is not None})
    return told[:100]


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
