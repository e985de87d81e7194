"""What the status of a Deployment says: whether its current revision is available."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rojak_operator.desired.conditions import Finding
from rojak_operator.desired.names import DESIRED_HASH
from rojak_operator.desired.reasons import ConditionType, Reason


@dataclass(frozen=True)
class Rollout:
    """How far a Deployment is.

    Attributes:
        wanted: pods that there should be.
        existing: pods that there are, of whatever revision.
        ready: pods of the current revision that are available.
        progressing: the condition.
        unavailable: why the object cannot be ready; None if it is.
    """

    wanted: int
    existing: int
    ready: int
    progressing: Finding
    unavailable: Finding | None


def read_rollout(live: Mapping[str, Any] | None, desired: Mapping[str, Any]) -> Rollout:
    """Judge the live Deployment by the one that there should be."""
    wanted = int((live or desired).get("spec", {}).get("replicas", 1))
    status: Mapping[str, Any] = (live or {}).get("status") or {}
    existing = int(status.get("replicas", 0))
    updated = int(status.get("updatedReplicas", 0))
    # Pods of the old revision count as available too: no more than this many of the new one can be.
    available = min(int(status.get("availableReplicas", 0)), updated)
    if live is None or not _is_current(live, desired, status):
        return _in_progress(wanted, existing, 0, "the Deployment's controller has not seen the current revision yet")
    if stuck := _stuck(status):
        message = (
            f"{stuck}; {available} of {wanted} pods of the current revision are available. Look at the pods: "
            f"kubectl describe pods -l {selector_text(live)} -n {live['metadata']['namespace']}"
        )
        return Rollout(
            wanted,
            existing,
            available,
            Finding(ConditionType.PROGRESSING, False, Reason.ROLLOUT_STUCK, message),
            Finding(ConditionType.READY, False, Reason.ROLLOUT_STUCK, message),
        )
    if updated < wanted or existing > updated:
        return _in_progress(
            wanted, existing, available, f"{available} of {wanted} pods of the current revision are available"
        )
    complete = Finding(ConditionType.PROGRESSING, False, Reason.ROLLOUT_COMPLETE, "the current revision is rolled out")
    unavailable = None
    if available < wanted:
        message = f"{available} of {wanted} pods of the current revision are available"
        unavailable = Finding(ConditionType.READY, False, Reason.WORKERS_UNAVAILABLE, message)
    return Rollout(wanted, existing, available, complete, unavailable)


def ready_finding(rollout: Rollout) -> Finding:
    """The condition Ready, where nothing but the rollout counts."""
    if rollout.unavailable is not None:
        return rollout.unavailable
    if rollout.wanted == 0:
        message = "there is no pod, and none is wanted now"
        return Finding(ConditionType.READY, True, Reason.SCALED_TO_ZERO, message)
    return Finding(ConditionType.READY, True, Reason.AVAILABLE, f"{rollout.ready} pods of the current revision work")


def selector_text(deployment: Mapping[str, Any]) -> str:
    """The selector of its pods, as kubectl takes it."""
    labels = deployment["spec"]["selector"]["matchLabels"]
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))


def _is_current(live: Mapping[str, Any], desired: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    hashes = [obj["metadata"].get("annotations", {}).get(DESIRED_HASH) for obj in (live, desired)]
    generation = int(live["metadata"].get("generation", 0))
    return hashes[0] == hashes[1] and int(status.get("observedGeneration", -1)) >= generation


def _stuck(status: Mapping[str, Any]) -> str | None:
    for condition in status.get("conditions") or []:
        if condition.get("type") == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            return str(condition.get("message") or "the rollout does not get on")
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return str(condition.get("message") or "pods cannot be created")
    return None


def _in_progress(wanted: int, existing: int, ready: int, message: str) -> Rollout:
    return Rollout(
        wanted,
        existing,
        ready,
        Finding(ConditionType.PROGRESSING, True, Reason.ROLLOUT_IN_PROGRESS, message),
        Finding(ConditionType.READY, False, Reason.ROLLOUT_IN_PROGRESS, message),
    )
