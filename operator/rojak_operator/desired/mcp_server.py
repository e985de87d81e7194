"""A managed MCP server: a Deployment, and a Service that agents find it by."""

from __future__ import annotations

from typing import Any, Final

from rojak.manifests import MCPServer
from rojak.manifests.hashing import hash_of
from rojak.manifests.mcp_server import ManagedServer
from rojak_operator.desired.defaults import Defaults
from rojak_operator.desired.names import (
    REFERENCES_HASH,
    labels_of,
    metadata_of,
    object_name,
    selector_of,
    with_hash,
)
from rojak_operator.desired.pods import PROGRESS_DEADLINE, container, env_from_of, env_of, http_probe, pod_template

CONTAINER: Final = "mcp"
KIND: Final = "MCPServer"
#: Where the bridge to a program that speaks over its standard streams listens.
BRIDGE_PORT: Final = 8080
SERVICE_PORT: Final = 80
#: Seconds that calls have to end when a server is asked to go.
GRACE: Final = 30


def endpoint_of(server: MCPServer) -> str | None:
    """Where agents reach the server; None before it has a place."""
    if server.spec.remote is not None:
        return server.spec.remote.url
    managed = server.spec.managed
    if managed is None:
        return None
    path = managed.path if managed.path.startswith("/") else f"/{managed.path}"
    return f"http://{object_name(KIND, server.name)}.{server.namespace}.svc:{SERVICE_PORT}{path}"


def render_mcp_server(server: MCPServer, defaults: Defaults, references: dict[str, str]) -> list[dict[str, Any]]:
    """The objects that run it; none for a remote server."""
    managed = server.spec.managed
    if managed is None:
        return []
    return [with_hash(obj) for obj in (_service(server), _deployment(server, managed, defaults, references))]


def _service(server: MCPServer) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata_of(server, KIND),
        "spec": {
            "selector": selector_of(KIND, server.name),
            "ports": [{"name": "http", "port": SERVICE_PORT, "targetPort": "http"}],
        },
    }


def _deployment(
    server: MCPServer, managed: ManagedServer, defaults: Defaults, references: dict[str, str]
) -> dict[str, Any]:
    bridged = managed.transport == "Stdio"
    command: dict[str, Any] = {}
    if bridged:
        path = managed.path if managed.path.startswith("/") else f"/{managed.path}"
        start = [*(managed.command or ()), *(managed.args or ())]
        command["command"] = ["rojak", "mcp-bridge", "--port", str(BRIDGE_PORT), "--path", path, "--"]
        command["args"] = start
        probe = http_probe("/healthz", period=10, failures=3)
        command |= {"livenessProbe": probe, "startupProbe": http_probe("/healthz", period=2, failures=60)}
        command["readinessProbe"] = http_probe("/readyz", period=5, failures=2)
    else:
        command |= {"command": managed.command} if managed.command else {}
        command |= {"args": managed.args} if managed.args else {}
        # A server has no page that says how it is; that it listens is all that can be asked.
        command["readinessProbe"] = {"tcpSocket": {"port": "http"}, "periodSeconds": 5}
        command["startupProbe"] = {"tcpSocket": {"port": "http"}, "periodSeconds": 2, "failureThreshold": 60}
    template = pod_template(
        labels=labels_of(KIND, server.name),
        annotations={REFERENCES_HASH: hash_of(references)},
        container=container(
            CONTAINER,
            image=managed.image or defaults.image,
            env=env_of(managed.env),
            env_from=env_from_of(managed.env_from),
            resources=managed.resources,
            pull_policy=managed.image_pull_policy,
            mounts=[],
            ports=[{"name": "http", "containerPort": BRIDGE_PORT if bridged else managed.port}],
            **command,
        ),
        volumes=[],
        grace_seconds=GRACE,
        service_account=managed.service_account_name,
        pull_secrets=managed.image_pull_secrets,
        over=managed.pod_template,
    )
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata_of(server, KIND),
        "spec": {
            "replicas": managed.replicas,
            "selector": {"matchLabels": selector_of(KIND, server.name)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "progressDeadlineSeconds": PROGRESS_DEADLINE,
            "revisionHistoryLimit": 3,
            "template": template,
        },
    }
