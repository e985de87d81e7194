"""How many workers: a fixed number, an HPA, or KEDA by what waits in the queues; and a budget for disruptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from rojak.manifests import Resource, WorkerSpec, seconds_of
from rojak.manifests.values import ConfigMapKeyRef
from rojak.manifests.worker import Autoscaling
from rojak.workerconfig import TemporalEntry
from rojak_operator.desired.defaults import Defaults
from rojak_operator.desired.names import metadata_of, object_name, selector_of

#: An HPA waits at most an hour.
_LONGEST_WINDOW: Final = 3600


@dataclass(frozen=True)
class Scaling:
    """What is known of the cluster and of the live Deployment.

    Attributes:
        has_keda: whether the API server knows ScaledObjects.
        live_replicas: of the live Deployment's spec; None if there is no Deployment.
        scaled_by_other: whether somebody else set that number through the scale subresource, as autoscalers do.
    """

    has_keda: bool = False
    live_replicas: int | None = None
    scaled_by_other: bool = False

    def problem_of(self, spec: WorkerSpec, temporal: TemporalEntry) -> tuple[str, str] | None:
        """Why the autoscaler that the manifest asks for cannot be, as (reason, message)."""
        autoscaling = spec.autoscaling
        if autoscaling is None or autoscaling.scaler != "KEDA":
            return None
        remedy = f"or set scaler: HPA. Until then there are {max(1, autoscaling.min_replicas)} workers"
        if not self.has_keda:
            return (
                "KEDANotInstalled",
                "scaler: KEDA needs KEDA, which this cluster does not have (no scaledobjects.keda.sh); install it,"
                f" {remedy}",
            )
        if temporal.tls is not None and not _authentication(spec, temporal):
            return (
                "KEDACannotConnect",
                "KEDA encrypts its connection to Temporal only where it logs in, and temporal.tls has no login; give"
                f" temporal.apiKey or temporal.tls.clientCertSecretRef, {remedy}",
            )
        return None

    def replicas_for(self, spec: WorkerSpec, temporal: TemporalEntry) -> int | None:
        """What to say of ``replicas``; None: nothing.

        Once an autoscaler owns the number, it is left out. Until then it has to be said: a number that nobody owns
        falls back to 1, which would shrink a Deployment in the moment when autoscaling is switched on.
        """
        autoscaling = spec.autoscaling
        if autoscaling is None:
            return 1 if spec.replicas is None else spec.replicas
        if self.problem_of(spec, temporal) is not None:
            return max(1, autoscaling.min_replicas)
        if self.live_replicas is None:
            return autoscaling.min_replicas
        return None if self.scaled_by_other else self.live_replicas


def render_scaling(
    owner: Resource,
    spec: WorkerSpec,
    scaling: Scaling,
    *,
    queues: Sequence[str],
    temporal: TemporalEntry,
    defaults: Defaults,
) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """The objects, and problems as (reason, message)."""
    kind = type(owner).__name__
    objects: list[dict[str, Any]] = []
    problems: list[tuple[str, str]] = []
    autoscaling = spec.autoscaling
    least = autoscaling.min_replicas if autoscaling else 1 if spec.replicas is None else spec.replicas
    if least > 1:
        objects.append(_disruption_budget(owner, kind))
    if autoscaling is not None and autoscaling.scaler == "HPA":
        objects.append(_autoscaler(owner, kind, autoscaling))
    elif problem := scaling.problem_of(spec, temporal):
        problems.append(problem)
    elif autoscaling is not None and queues:
        # A pool without agents has nothing to go by, and KEDA refuses what has no triggers.
        objects += _keda(owner, kind, autoscaling, queues, temporal, defaults, _authentication(spec, temporal))
    return objects, problems


def _disruption_budget(owner: Resource, kind: str) -> dict[str, Any]:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata_of(owner, kind),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector_of(kind, owner.name)}},
    }


def _target(owner: Resource, kind: str) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "name": object_name(kind, owner.name)}


def _autoscaler(owner: Resource, kind: str, autoscaling: Autoscaling) -> dict[str, Any]:
    window = min(int(seconds_of(autoscaling.scale_down_delay)), _LONGEST_WINDOW)
    target = {"type": "Utilization", "averageUtilization": autoscaling.target_cpu_utilization}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata_of(owner, kind),
        "spec": {
            "scaleTargetRef": _target(owner, kind),
            "minReplicas": autoscaling.min_replicas,
            "maxReplicas": autoscaling.max_replicas,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": window}},
        },
    }


def _keda(
    owner: Resource,
    kind: str,
    autoscaling: Autoscaling,
    queues: Sequence[str],
    temporal: TemporalEntry,
    defaults: Defaults,
    authentication: dict[str, Any],
) -> list[dict[str, Any]]:
    name = object_name(kind, owner.name)
    trigger: dict[str, Any] = {}
    if authentication:
        trigger["authenticationRef"] = {"name": name}
    metadata = {
        "endpoint": temporal.address or defaults.temporal.address,
        "namespace": temporal.namespace or defaults.temporal.namespace,
        "targetQueueSize": str(autoscaling.target_backlog),
        "queueTypes": "workflow,activity",
    }
    if temporal.tls and temporal.tls.server_name:
        metadata["tlsServerName"] = temporal.tls.server_name
    window = int(seconds_of(autoscaling.scale_down_delay))
    scaled_object = {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": metadata_of(owner, kind),
        "spec": {
            "scaleTargetRef": _target(owner, kind),
            "minReplicaCount": autoscaling.min_replicas,
            "maxReplicaCount": autoscaling.max_replicas,
            "pollingInterval": 10,
            "cooldownPeriod": window,
            "advanced": {
                "horizontalPodAutoscalerConfig": {
                    "behavior": {"scaleDown": {"stabilizationWindowSeconds": min(window, _LONGEST_WINDOW)}}
                }
            },
            "triggers": [{"type": "temporal", "metadata": metadata | {"taskQueue": q}, **trigger} for q in queues],
        },
    }
    if not authentication:
        return [scaled_object]
    return [
        {
            "apiVersion": "keda.sh/v1alpha1",
            "kind": "TriggerAuthentication",
            "metadata": metadata_of(owner, kind),
            "spec": authentication,
        },
        scaled_object,
    ]


def _authentication(spec: WorkerSpec, temporal: TemporalEntry) -> dict[str, Any]:
    """Where KEDA finds the login, under the names of its temporal scaler's parameters; empty if there is none."""
    secrets, maps = [], []
    if temporal.api_key:
        reference = temporal.api_key.secret_key_ref
        secrets.append({"parameter": "apiKey", "name": reference.name, "key": reference.key})
    tls = temporal.tls
    if tls and tls.client_cert and tls.client_key:
        secrets.append({"parameter": "cert", "name": tls.client_cert.name, "key": tls.client_cert.key})
        secrets.append({"parameter": "key", "name": tls.client_key.name, "key": tls.client_key.key})
    if not secrets:
        return {}
    if tls and tls.ca_cert and tls.ca_cert.secret_key_ref:
        authority = tls.ca_cert.secret_key_ref
        secrets.append({"parameter": "ca", "name": authority.name, "key": authority.key})
    elif tls and tls.ca_cert and (found := _authority_of(spec)) is not None:
        # The workers' configuration has its text.
        maps.append({"parameter": "ca", "name": found.name, "key": found.key})
    return {"secretTargetRef": secrets} | ({"configMapTargetRef": maps} if maps else {})


def _authority_of(spec: WorkerSpec) -> ConfigMapKeyRef | None:
    own = spec.temporal.tls if spec.temporal else None
    return own.ca_cert.config_map_key_ref if own and own.ca_cert else None
