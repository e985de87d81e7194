"""What agents run on: WorkerPool, or the same inline in an Agent."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from rojak.manifests.base import Model
from rojak.manifests.resource import API_VERSION, MESSAGE_COLUMN, Column, Listing, Resource, Status, condition_column
from rojak.manifests.rules import Rule, at_least_one, at_most_one, is_given
from rojak.manifests.values import (
    AnyObject,
    CertificateAuthority,
    ConfigMapRef,
    Duration,
    EnvSource,
    EnvVar,
    HostPort,
    ModuleName,
    ObjectName,
    Resources,
    SecretRef,
    SecretSource,
    env_list,
)


class Autoscaling(Model):
    """How many workers there are, by what there is to do.

    Attributes:
        min_replicas: at least so many; 0, which needs ``scaler: KEDA``, lets the last one go when nothing is to do.
        max_replicas: at most so many.
        scaler: ``HPA`` scales by CPU; ``KEDA`` by the tasks that wait in the queues, also from and to none.
        target_cpu_utilization: for HPA: the share of the requested CPU to aim for, in percent.
        target_backlog: for KEDA: tasks that wait, for each worker.
        scale_down_delay: how long the load has to be low before workers go.
    """

    rules = (
        Rule(
            cel="self.minReplicas <= self.maxReplicas",
            holds=lambda data: data.get("minReplicas", 1) <= data["maxReplicas"],
            message="minReplicas is more than maxReplicas; swap them",
            at="minReplicas",
        ),
        Rule(
            cel="self.minReplicas > 0 || self.scaler == 'KEDA'",
            holds=lambda data: data.get("minReplicas", 1) != 0 or data.get("scaler") == "KEDA",
            message="only KEDA scales to none; set scaler: KEDA, or minReplicas: 1",
            at="minReplicas",
        ),
    )

    min_replicas: Annotated[int, Field(ge=0, le=1000)] = 1
    max_replicas: Annotated[int, Field(ge=1, le=1000)]
    scaler: Literal["HPA", "KEDA"] = "HPA"
    target_cpu_utilization: Annotated[int, Field(ge=1, le=100)] = 70
    target_backlog: Annotated[int, Field(ge=1, le=100000)] = 5
    scale_down_delay: Duration = "5m"


class Functions(Model):
    """Where the functions come from that agents name without a module.

    Attributes:
        modules: Python modules of the image; the functions that they define are known under their names.
        config_map_ref: a ConfigMap whose keys are Python files (``tools.py``), for a quick start without an image. What
            they define is known as well, and ``module:name`` finds it.
    """

    rules = (at_least_one("modules", "configMapRef"),)

    modules: Annotated[list[ModuleName], Field(min_length=1, max_length=64)] | None = None
    config_map_ref: ConfigMapRef | None = None


class Versioning(Model):
    """How a new version of the code takes over from the old one.

    Attributes:
        mode: ``None``: workers are replaced in place. ``Managed``: both run side by side, and a session stays on
            its version until it rolls over.
        build_id: names the version; made from the image, the command and the functions when left out.
        keep_drained: how long workers of a version stay that no session needs any more.
    """

    mode: Literal["None", "Managed"] = "None"
    build_id: Annotated[ObjectName, Field(max_length=63)] | None = None
    keep_drained: Duration = "1h"


class TLS(Model):
    """How the connection to Temporal is secured.

    Attributes:
        server_name: the name that the server's certificate has, where it is not that of the address.
        ca_cert: whom to trust; the usual authorities when left out.
        client_cert_secret_ref: a Secret of type ``kubernetes.io/tls`` to log in with.
    """

    server_name: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    ca_cert: CertificateAuthority | None = None
    client_cert_secret_ref: SecretRef | None = None


class TemporalConnection(Model):
    """Which Temporal the workers talk to.

    Attributes:
        address: host and port; the operator's when left out.
        namespace: of Temporal; the operator's when left out.
        tls: given, even as ``{}``, it switches TLS on. An API key does so too.
        api_key: to log in with.
    """

    rules = (
        at_least_one("address", "namespace", "tls", "apiKey"),
        Rule(
            cel="!(has(self.apiKey) && has(self.tls) && has(self.tls.clientCertSecretRef))",
            holds=lambda data: not (is_given(data, "apiKey") and is_given(data, "tls", "clientCertSecretRef")),
            message="log in with an API key or with a client certificate, not with both; remove one of them",
            at="apiKey",
        ),
    )

    address: HostPort | None = None
    namespace: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    tls: TLS | None = None
    api_key: SecretSource | None = None


class WorkerSpec(Model):
    """What agents run on.

    Attributes:
        image: with the functions of the agents; the operator's own when left out, which has none.
        image_pull_policy: when the image is fetched.
        image_pull_secrets: to fetch it with.
        replicas: how many workers there are; one when nothing else is said.
        autoscaling: how many there are by what there is to do, instead of a fixed number.
        env: environment variables.
        env_from: Secrets and ConfigMaps whose keys become environment variables.
        resources: what one worker gets.
        service_account_name: which service account its pods have.
        functions: where functions come from.
        max_concurrent_calls: how many model and tool calls one worker makes at a time, for all of its agents. Each
            agent can make one, whatever the others do.
        graceful_shutdown: how long a worker that has to stop may go on with the calls that it has begun.
        versioning: how new code takes over.
        temporal: another Temporal than the operator's.
        pod_template: merged into the pod template, for whatever else there is; the container's name is ``worker``.
    """

    rules = (at_most_one("replicas", "autoscaling", message="give replicas or autoscaling, not both: one decides"),)

    image: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    image_pull_secrets: Annotated[list[SecretRef], Field(max_length=16)] | None = None
    replicas: Annotated[int, Field(ge=0, le=1000)] | None = None
    autoscaling: Autoscaling | None = None
    env: Annotated[list[EnvVar], Field(max_length=256), env_list] | None = None
    env_from: Annotated[list[EnvSource], Field(max_length=64)] | None = None
    resources: Resources | None = None
    service_account_name: ObjectName | None = None
    functions: Functions | None = None
    max_concurrent_calls: Annotated[int, Field(ge=1, le=10000)] | None = None
    graceful_shutdown: Duration = "30s"
    versioning: Versioning | None = None
    temporal: TemporalConnection | None = None
    pod_template: AnyObject | None = None


class WorkerVersion(Model):
    """A version of the code that is about.

    Attributes:
        build_id: names it.
        state: as Temporal has it: Inactive, Current, Ramping, Draining or Drained.
        deployment: its Deployment.
        drained_since: when the last session left it.
    """

    build_id: str
    state: str
    deployment: str | None = None
    drained_since: str | None = None


class WorkerStatus(Status):
    """State of the workers.

    Attributes:
        deployment: the Deployment.
        replicas: how many workers there are.
        ready_replicas: how many of them take work with the current configuration.
        workers: ready and wanted, as ``2/3``.
        selector: finds their pods.
        revision: hash of the configuration that was rolled out.
        build_id: the current version, with ``versioning.mode: Managed``.
        versions: all versions that are about.
    """

    deployment: str | None = None
    replicas: int | None = None
    ready_replicas: int | None = None
    workers: str | None = None
    selector: str | None = None
    revision: str | None = None
    build_id: str | None = None
    versions: Annotated[list[WorkerVersion], Field(max_length=100)] | None = None


class WorkerPoolStatus(WorkerStatus):
    """State of a WorkerPool.

    Attributes:
        agents: how many Agents run on it.
    """

    agents: int | None = None


class WorkerPool(Resource):
    """What several agents run on: a platform team owns images and pods, authors write Agents.

    Attributes:
        api_version: of the schema.
        kind: of the object.
        metadata: name, namespace, labels, annotations.
        spec: what the agents run on.
        status: what the operator found.
    """

    listing: ClassVar[Listing] = Listing(
        plural="workerpools",
        short_names=("rpool",),
        columns=(
            Column("Agents", ".status.agents", "integer"),
            Column("Workers", ".status.workers"),
            condition_column("Ready"),
            Column("Image", ".spec.image", wide=True),
            Column("Revision", ".status.revision", wide=True),
            Column("Version", ".status.buildID", wide=True),
            MESSAGE_COLUMN,
        ),
        replicas_path=".spec.replicas",
    )

    api_version: Literal["rojak.dev/v1alpha1"] = API_VERSION
    kind: Literal["WorkerPool"] = "WorkerPool"
    spec: WorkerSpec = WorkerSpec()
    status: WorkerPoolStatus | None = None
