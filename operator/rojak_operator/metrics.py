"""What the operator counts, for Prometheus. Labels are kinds and outcomes; never names of objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from rojak_operator.resources import Key

_PREFIX: Final = "rojak_operator_"


class Metrics:
    """The metrics of one operator."""

    def __init__(self, version: str = "") -> None:
        self.registry = registry = CollectorRegistry()
        self._reconciles = Counter(f"{_PREFIX}reconcile", "Reconciliations.", ["kind", "result"], registry=registry)
        self._seconds = Histogram(
            f"{_PREFIX}reconcile_duration_seconds", "How long one took.", ["kind"], registry=registry,
            buckets=(0.005, 0.02, 0.1, 0.5, 2, 10, 60),
        )  # fmt: skip
        self._latency = Histogram(
            f"{_PREFIX}queue_latency_seconds", "How long an object waited for one.", ["kind"], registry=registry,
            buckets=(0.01, 0.1, 1, 5, 30, 120),
        )  # fmt: skip
        self.queue_depth = Gauge(f"{_PREFIX}queue_depth", "Objects that wait to be reconciled.", registry=registry)
        self._applies = Counter(
            f"{_PREFIX}apply", "Objects that were to be applied.", ["kind", "outcome"], registry=registry
        )
        self._drift = Counter(
            f"{_PREFIX}drift", "Objects that somebody else had changed or deleted.", ["kind"], registry=registry
        )
        self._conditions = Gauge(
            f"{_PREFIX}resource_condition", "Objects by state.", ["kind", "condition", "status"], registry=registry
        )
        self._temporal = Counter(
            f"{_PREFIX}temporal_requests", "Requests to Temporal.", ["rpc", "code"], registry=registry
        )
        self._heard = Gauge(
            f"{_PREFIX}last_event_timestamp_seconds",
            "When a watch last brought something.",
            ["resource"],
            registry=registry,
        )
        self._audited = Gauge(
            f"{_PREFIX}last_audit_timestamp_seconds",
            "When what a watch brought was last found to be complete.", ["resource"], registry=registry,
        )  # fmt: skip
        self.leader = Gauge(f"{_PREFIX}leader", "Whether this replica is the one that works.", registry=registry)
        Gauge(f"{_PREFIX}build_info", "Version of the operator.", ["version"], registry=registry).labels(version).set(1)

    def worked(self, key: Key, *, waited: float, took: float, result: str) -> None:
        """A reconciliation ended; see `workqueue.Observer`."""
        self._reconciles.labels(key.kind, result).inc()
        self._seconds.labels(key.kind).observe(took)
        self._latency.labels(key.kind).observe(waited)

    def applied(self, kind: str, outcome: str) -> None:
        """An object was created, changed, unchanged, deleted, refused or taken by somebody else."""
        self._applies.labels(kind, outcome).inc()

    def drifted(self, kind: str) -> None:
        """Somebody else had changed or deleted an object of ours."""
        self._drift.labels(kind).inc()

    def asked_temporal(self, rpc: str, code: str) -> None:
        """A request to Temporal was answered."""
        self._temporal.labels(rpc, code).inc()

    def heard(self, resource: str, at: float) -> None:
        """A watch brought something."""
        self._heard.labels(resource).set(at)

    def audited(self, resource: str, at: float) -> None:
        """What a watch brought was complete."""
        self._audited.labels(resource).set(at)

    def conditions(self, counts: Mapping[tuple[str, str, str], int]) -> None:
        """How many objects have which status of which condition."""
        self._conditions.clear()
        for labels, count in counts.items():
            self._conditions.labels(*labels).set(count)

    def render(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self.registry)


def count_conditions(statuses: Iterable[tuple[str, Iterable[Mapping[str, str]]]]) -> dict[tuple[str, str, str], int]:
    """Counts by (kind, condition, status), of pairs of kind and conditions."""
    counts: dict[tuple[str, str, str], int] = {}
    for kind, conditions in statuses:
        for condition in conditions:
            labels = (kind, condition["type"], condition["status"])
            counts[labels] = counts.get(labels, 0) + 1
    return counts
