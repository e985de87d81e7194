"""The workers of an Agent or of a WorkerPool: a ConfigMap that says what they serve, and a Deployment."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rojak.manifests import Agent, MCPServer, WorkerPool, WorkerSpec, seconds_of
from rojak.manifests.hashing import hash_of
from rojak.manifests.worker import TemporalConnection
from rojak.workerconfig import HTTP_PORT, Missing, VersionEntry, WorkerConfig, render_worker_config
from rojak_operator.desired.defaults import Defaults
from rojak_operator.desired.names import (
    AGENT_GENERATIONS,
    CONFIG_HASH,
    REFERENCES_HASH,
    labels_of,
    metadata_of,
    selector_of,
    version_name,
    with_hash,
)
from rojak_operator.desired.pods import (
    PROGRESS_DEADLINE,
    container,
    env_from_of,
    env_of,
    http_probe,
    pod_template,
)
from rojak_operator.desired.reasons import Reason
from rojak_operator.desired.references import Reference, references_of
from rojak_operator.desired.scaling import Scaling, render_scaling
from rojak_operator.desired.versions import Version, deployment_of

CONTAINER: Final = "worker"
CONFIG_FOLDER: Final = "/etc/rojak"
CONFIG_FILE: Final = "worker.json"
FUNCTIONS_FOLDER: Final = "/etc/rojak-functions"
#: Seconds on top of the worker's own grace period, so that it is never killed while it ends in good order.
GRACE_MARGIN: Final = 10
#: A ConfigMap holds at most 1 MiB; this leaves room for its metadata.
CONFIG_LIMIT: Final = 1_000_000


@dataclass(frozen=True)
class WorkerInputs:
    """All that decides what the workers of one owner look like.

    Attributes:
        owner: the Agent that has its own workers, or the WorkerPool.
        agents: those that run on it.
        mcp_servers: of the namespace, by name.
        mcp_urls: where the managed ones are reached.
        config_maps: data of those that the manifests refer to, by name.
        references: hashes of the Secrets and ConfigMaps that the pods refer to.
        defaults: of the operator.
        scaling: what is known of autoscaling in the cluster and on the live Deployment.
        version: of the code, where versions run side by side.
    """

    owner: Agent | WorkerPool
    agents: Sequence[Agent]
    defaults: Defaults
    mcp_servers: Sequence[MCPServer] = ()
    mcp_urls: Mapping[str, str] = field(default_factory=dict)
    config_maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)
    scaling: Scaling = field(default_factory=Scaling)
    version: Version | None = None

    @property
    def build_id(self) -> str | None:
        """Of the version."""
        return self.version.build_id if self.version else None

    @property
    def name(self) -> str:
        """Of the Deployment and of its ConfigMap."""
        return version_name(self.owner.kind, self.owner.name, self.build_id)

    @property
    def functions(self) -> str | None:
        """The ConfigMap with the functions that pods mount; a version has a copy, which does not change any more."""
        source = functions_map(self.spec)
        return f"{self.name}-functions" if source and self.version else source

    @property
    def spec(self) -> WorkerSpec:
        """What the workers are."""
        spec = self.owner.spec
        return spec if isinstance(spec, WorkerSpec) else spec.worker or WorkerSpec()


@dataclass(frozen=True)
class Problem:
    """Something that cannot be made as the manifest says."""

    reason: str
    message: str


@dataclass(frozen=True)
class DesiredWorker:
    """What there should be.

    Attributes:
        objects: to apply, in this order.
        revision: hash of all that the pods depend on.
        deployment: the name of the Deployment.
        problems: what could not be done; the objects are the best that could.
        missing: what the configuration refers to and is not there.
        queues: task queues that the workers serve.
    """

    objects: list[dict[str, Any]]
    revision: str
    deployment: str
    problems: list[Problem]
    missing: tuple[Missing, ...] = ()
    queues: tuple[str, ...] = ()


def render_worker(inputs: WorkerInputs) -> DesiredWorker:
    """The objects that run the agents of one owner."""
    owner = inputs.owner
    rendered = render_worker_config(
        name=owner.name,
        namespace=owner.namespace,
        agents=inputs.agents,
        mcp_servers=inputs.mcp_servers,
        worker=inputs.spec,
        config_maps=inputs.config_maps,
        mcp_urls=inputs.mcp_urls,
        temporal=default_connection(inputs.defaults),
        functions_folder=FUNCTIONS_FOLDER if functions_map(inputs.spec) else None,
        version=VersionEntry(deployment=deployment_of(owner), build_id=inputs.build_id) if inputs.build_id else None,
    )
    text = rendered.config.to_text()
    problems = []
    if len(text.encode()) > CONFIG_LIMIT:
        problems.append(
            Problem(
                Reason.CONFIGURATION_TOO_LARGE,
                f"the configuration of {len(inputs.agents)} agents is {len(text.encode()):,} bytes, more than a"
                f" ConfigMap holds ({CONFIG_LIMIT:,}); shorten instructions, or give some agents another pool",
            )
        )
        return DesiredWorker([], "", inputs.name, problems)
    config_maps = [_config_map(inputs, text), *_functions_copy(inputs)]
    deployment = _deployment(inputs, rendered.config, text)
    queues = tuple(agent.task_queue for agent in rendered.config.agents)
    scaling, scaling_problems = render_scaling(
        owner, inputs.spec, inputs.scaling, queues=queues,
        temporal=rendered.config.temporal, defaults=inputs.defaults, version=inputs.version,
    )  # fmt: skip
    problems += [Problem(reason, message) for reason, message in scaling_problems]
    return DesiredWorker(
        objects=[with_hash(obj) for obj in (*config_maps, deployment, *scaling)],
        revision=hash_of(deployment["spec"]["template"], 10),
        deployment=deployment["metadata"]["name"],
        problems=problems,
        missing=rendered.missing,
        queues=queues,
    )


def default_connection(defaults: Defaults) -> TemporalConnection:
    """The operator's Temporal, as workers reach it: with their own Secrets, since the operator's are not theirs."""
    temporal = defaults.temporal
    wire: dict[str, Any] = {"address": temporal.address, "namespace": temporal.namespace}
    tls: dict[str, Any] = {}
    if temporal.tls_server_name:
        tls["serverName"] = temporal.tls_server_name
    if temporal.worker_ca:
        tls["caCert"] = {"secretKeyRef": {"name": temporal.worker_ca.name, "key": temporal.worker_ca.key}}
    if temporal.worker_cert_secret:
        tls["clientCertSecretRef"] = {"name": temporal.worker_cert_secret}
    if tls or temporal.tls:
        wire["tls"] = tls
    if temporal.worker_api_key:
        key = {"name": temporal.worker_api_key.name, "key": temporal.worker_api_key.key}
        wire["apiKey"] = {"secretKeyRef": key}
    return TemporalConnection.model_validate(wire)


def _config_map(inputs: WorkerInputs, text: str) -> dict[str, Any]:
    owner = inputs.owner
    generations = {agent.name: agent.metadata.generation for agent in sorted(inputs.agents, key=lambda a: a.name)}
    metadata = metadata_of(owner, owner.kind, build_id=inputs.build_id)
    metadata["annotations"] = {AGENT_GENERATIONS: json.dumps(generations, separators=(",", ":"))}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {CONFIG_FILE: text}}


def _functions_copy(inputs: WorkerInputs) -> list[dict[str, Any]]:
    source = functions_map(inputs.spec)
    if source is None or inputs.version is None:
        return []
    metadata = metadata_of(inputs.owner, inputs.owner.kind, inputs.functions, build_id=inputs.build_id)
    data = dict(inputs.config_maps.get(source, {}))
    return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}]


def _deployment(inputs: WorkerInputs, config: WorkerConfig, text: str) -> dict[str, Any]:
    owner, spec = inputs.owner, inputs.spec
    selector = selector_of(owner.kind, owner.name, inputs.build_id)
    volumes: list[dict[str, Any]] = [{"name": "config", "configMap": {"name": inputs.name}}]
    mounts = [{"name": "config", "mountPath": CONFIG_FOLDER, "readOnly": True}]
    if functions := inputs.functions:
        volumes.append({"name": "functions", "configMap": {"name": functions}})
        mounts.append({"name": "functions", "mountPath": FUNCTIONS_FOLDER, "readOnly": True})
    template = pod_template(
        labels={**labels_of(owner.kind, owner.name, inputs.build_id), **selector},
        annotations={
            CONFIG_HASH: hash_of(text),
            REFERENCES_HASH: hash_of(dict(inputs.references)),
        },
        container=container(
            CONTAINER,
            image=spec.image or inputs.defaults.image,
            args=["worker", "--config", f"{CONFIG_FOLDER}/{CONFIG_FILE}", "--log-format", "json"],
            env=[*_secret_env(config, _required(inputs)), *env_of(spec.env)],
            env_from=env_from_of(spec.env_from),
            resources=spec.resources,
            pull_policy=spec.image_pull_policy,
            mounts=mounts,
            ports=[{"name": "http", "containerPort": HTTP_PORT}],
            # A worker that has lost Temporal is not restarted: it would lose what it does and gain nothing.
            livenessProbe=http_probe("/healthz", period=10, failures=3),
            readinessProbe=http_probe("/readyz", period=5, failures=2),
            startupProbe=http_probe("/healthz", period=2, failures=60),
        ),
        volumes=volumes,
        grace_seconds=math.ceil(seconds_of(spec.graceful_shutdown)) + GRACE_MARGIN,
        service_account=spec.service_account_name,
        pull_secrets=spec.image_pull_secrets,
        over=spec.pod_template,
    )
    deployment_spec: dict[str, Any] = {
        "selector": {"matchLabels": selector},
        # The new ones take work before the old ones are asked to go.
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}},
        "progressDeadlineSeconds": PROGRESS_DEADLINE,
        "revisionHistoryLimit": 3,
        "template": template,
    }
    replicas = inputs.scaling.replicas_for(spec, config.temporal, inputs.version)
    if replicas is not None:
        deployment_spec["replicas"] = replicas
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata_of(owner, owner.kind, build_id=inputs.build_id),
        "spec": deployment_spec,
    }


def functions_map(spec: WorkerSpec) -> str | None:
    """The ConfigMap that brings functions."""
    source = spec.functions.config_map_ref if spec.functions else None
    return source.name if source else None


def connection_references(spec: WorkerSpec, defaults: Defaults) -> list[Reference]:
    """The Secrets of the operator's connection, where the workers use it."""
    own = spec.temporal
    if own is not None and (own.api_key or own.tls or own.address not in (None, defaults.temporal.address)):
        return []
    return references_of(default_connection(defaults).to_wire())


def _required(inputs: WorkerInputs) -> set[tuple[str, str]]:
    """The keys of Secrets without which pods are not to start.

    Those of MCP servers are not among them, since a broken server is no reason for an agent not to work; nor, on a
    pool, those of one agent, without which all the others would not start either.
    """
    references = references_of(inputs.owner.spec.to_wire()) + connection_references(inputs.spec, inputs.defaults)
    required = set()
    for reference in references:
        if reference.kind == "Secret":
            keys = (reference.key,) if reference.key else ("tls.crt", "tls.key")
            required |= {(reference.name, key) for key in keys}
    return required


def _secret_env(config: WorkerConfig, required: set[tuple[str, str]]) -> list[dict[str, Any]]:
    """The Secrets that the configuration refers to, under the names by which it finds them."""
    rendered = []
    for secret in config.secrets:
        reference: dict[str, Any] = {"name": secret.name, "key": secret.key}
        if secret.optional or (secret.name, secret.key) not in required:
            reference["optional"] = True
        rendered.append({"name": secret.env, "valueFrom": {"secretKeyRef": reference}})
    return rendered
