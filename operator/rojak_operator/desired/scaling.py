"""How many workers: a fixed number, an HPA, or KEDA by what waits in the queues; and a budget for disruptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rojak.manifests import Resource, WorkerSpec, seconds_of
from rojak.manifests.values import ConfigMapKeyRef
from rojak.manifests.worker import Autoscaling
from rojak.workerconfig import TemporalEntry
from rojak_operator.desired.defaults import Defaults
from rojak_operator.desired.names import metadata_of, selector_of
from rojak_operator.desired.reasons import Reason
from rojak_operator.desired.versions import Version, deployment_of

#: An HPA waits at most an hour.
_LONGEST_WINDOW: Final = 3600


@dataclass(frozen=True)
class Scaling:
    """What is known of the cluster and of the live Deployment.

    Attributes:
        has_keda: whether the API server knows ScaledObjects.
        live_replicas: of the live Deployment's spec; None if there is no Deployment.
        scaled_by_other: whether somebody else set that number through the scale subresource, as autoscalers do.
        replicas_before: of the versions that a new one is to take over from: it begins with as many.
    """

    has_keda: bool = False
    live_replicas: int | None = None
    scaled_by_other: bool = False
    replicas_before: int = 0

    def problem_of(self, spec: WorkerSpec, temporal: TemporalEntry) -> tuple[str, str] | None:
        """Why the autoscaler that the manifest asks for cannot be, as (reason, message)."""
        autoscaling = spec.autoscaling
        if autoscaling is None or autoscaling.scaler != "KEDA":
            return None
        least = max(1, autoscaling.min_replicas)
        remedy = f"or set scaler: HPA. Until then there {'is 1 worker' if least == 1 else f'are {least} workers'}"
        if not self.has_keda:
            return (
                Reason.KEDA_NOT_INSTALLED,
                "scaler: KEDA needs KEDA, which this cluster does not have (no scaledobjects.keda.sh); install it,"
                f" {remedy}",
            )
        if temporal.tls is not None and not _authentication(spec, temporal):
            return (
                Reason.KEDA_CANNOT_CONNECT,
                "KEDA encrypts its connection to Temporal only where it logs in, and temporal.tls has no login; give"
                f" temporal.apiKey or temporal.tls.clientCertSecretRef, {remedy}",
            )
        return None

    def replicas_for(self, spec: WorkerSpec, temporal: TemporalEntry, version: Version | None = None) -> int | None:
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
            before = min(self.replicas_before, autoscaling.max_replicas) if version is not None else 0
            return max(_least_of(autoscaling, version), before)
        return None if self.scaled_by_other else self.live_replicas


def _least_of(autoscaling: Autoscaling, version: Version | None) -> int:
    """How many workers there are at least: one, until the version gets work by which it could be scaled."""
    return max(autoscaling.min_replicas, 1 if version is not None and not version.is_current else 0)


def render_scaling(
    owner: Resource,
    spec: WorkerSpec,
    scaling: Scaling,
    *,
    queues: Sequence[str],
    temporal: TemporalEntry,
    defaults: Defaults,
    version: Version | None = None,
) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """The objects, and problems as (reason, message)."""
    kind = type(owner).__name__
    objects: list[dict[str, Any]] = []
    problems: list[tuple[str, str]] = []
    autoscaling = spec.autoscaling
    least = autoscaling.min_replicas if autoscaling else 1 if spec.replicas is None else spec.replicas
    if least > 1:
        objects.append(_disruption_budget(owner, kind, version))
    if autoscaling is not None and autoscaling.scaler == "HPA":
        objects.append(_autoscaler(owner, kind, autoscaling, version))
    elif problem := scaling.problem_of(spec, temporal):
        problems.append(problem)
    elif autoscaling is not None and queues:
        # A pool without agents has nothing to go by, and KEDA refuses what has no triggers.
        login = _authentication(spec, temporal)
        objects += _keda(owner, kind, autoscaling, queues, temporal, defaults, login, version)
    return objects, problems


def _metadata(owner: Resource, kind: str, version: Version | None) -> dict[str, Any]:
    return metadata_of(owner, kind, build_id=version.build_id if version else None)


def _disruption_budget(owner: Resource, kind: str, version: Version | None) -> dict[str, Any]:
    build_id = version.build_id if version else None
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _metadata(owner, kind, version),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector_of(kind, owner.name, build_id)}},
    }


def _target(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The Deployment of the same name."""
    return {"apiVersion": "apps/v1", "kind": "Deployment", "name": metadata["name"]}


def _autoscaler(owner: Resource, kind: str, autoscaling: Autoscaling, version: Version | None) -> dict[str, Any]:
    metadata = _metadata(owner, kind, version)
    window = min(int(seconds_of(autoscaling.scale_down_delay)), _LONGEST_WINDOW)
    target = {"type": "Utilization", "averageUtilization": autoscaling.target_cpu_utilization}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata,
        "spec": {
            "scaleTargetRef": _target(metadata),
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
    version: Version | None,
) -> list[dict[str, Any]]:
    own = _metadata(owner, kind, version)
    name = own["name"]
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
    if version is not None:
        metadata["workerDeploymentName"] = deployment_of(owner)
        metadata["workerDeploymentBuildId"] = version.build_id
    window = int(seconds_of(autoscaling.scale_down_delay))
    scaled_object = {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": own,
        "spec": {
            "scaleTargetRef": _target(own),
            "minReplicaCount": _least_of(autoscaling, version),
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
            "metadata": _metadata(owner, kind, version),
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
