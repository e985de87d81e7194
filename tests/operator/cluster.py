"""What tests of the operator do to a cluster, and the operator itself as a process."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from dev.helm import chart, find_helm
from dev.kubernetes import KubernetesServer
from dev.kubernetes.pytest_plugin import OPERATOR_ACCOUNT
from rojak.dev.process import ChildProcess
from rojak_operator.kube import ApiError, ConflictError, Kube
from rojak_operator.resources import BY_KIND, MANIFESTS, Key

#: Seconds that tests wait for what should take one; other programs may be busy.
PATIENCE = 40.0
CRDS = Path(__file__).resolve().parents[2] / "crds"


def condition(obj: Mapping[str, Any] | None, kind: str) -> dict[str, Any]:
    """A condition of an object; empty if it has none."""
    conditions = ((obj or {}).get("status") or {}).get("conditions") or []
    return next((c for c in conditions if c["type"] == kind), {})


def conditions(obj: Mapping[str, Any] | None) -> dict[str, str]:
    """Status of each condition."""
    return {c["type"]: c["status"] for c in ((obj or {}).get("status") or {}).get("conditions") or []}


class Cluster:
    """A cluster as a user, the controllers that are not there, or a vandal changes it."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self.kube = kube
        self.namespace = namespace

    async def apply(self, kind: str, name: str, spec: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """As a user."""
        resource = BY_KIND[kind]
        metadata = {"name": name, "namespace": self.namespace, **more.pop("metadata", {})}
        body: dict[str, Any] = {"apiVersion": resource.api_version, "kind": kind, "metadata": metadata, **more}
        if spec is not None:
            body["spec"] = spec
        return await self.kube.apply(body)

    async def get(self, kind: str, name: str) -> dict[str, Any] | None:
        return await self.kube.get(BY_KIND[kind], self.namespace, name)

    async def delete(self, kind: str, name: str) -> bool:
        return await self.kube.delete(BY_KIND[kind], self.namespace, name)

    async def until(
        self, kind: str, name: str, holds: Callable[[dict[str, Any]], Any], *, timeout: float = PATIENCE
    ) -> dict[str, Any]:
        """The object, once something holds of it."""
        obj: dict[str, Any] | None = None
        give_up = time.monotonic() + timeout
        while time.monotonic() < give_up:
            obj = await self.get(kind, name)
            if obj is not None and holds(obj):
                return obj
            await asyncio.sleep(0.05)
        raise AssertionError(f"{kind} {name} did not become as it should: {json.dumps(obj, indent=1)}")

    async def until_condition(
        self, kind: str, name: str, condition_type: str, status: str, reason: str | None = None
    ) -> dict[str, Any]:
        """The object, once it has a condition for its current generation."""

        def holds(obj: dict[str, Any]) -> bool:
            found = condition(obj, condition_type)
            return (
                found.get("status") == status
                and found["observedGeneration"] == obj["metadata"]["generation"]
                and reason in (None, found["reason"])
            )

        return await self.until(kind, name, holds)

    async def until_gone(self, kind: str, name: str, *, timeout: float = PATIENCE) -> None:
        give_up = time.monotonic() + timeout
        while await self.get(kind, name) is not None:
            assert time.monotonic() < give_up, f"{kind} {name} is still there"
            await asyncio.sleep(0.05)

    async def finish_rollout(self, name: str, *, ready: int | None = None, **status: Any) -> None:
        """What the Deployment's controller and the kubelets would do."""
        deployment = await self.get("Deployment", name)
        assert deployment is not None
        replicas = deployment["spec"]["replicas"]
        counts = {"replicas": replicas, "updatedReplicas": replicas}
        available = replicas if ready is None else ready
        if available:
            counts |= {"readyReplicas": available, "availableReplicas": available}
        body = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": self.namespace},
            "status": {"observedGeneration": deployment["metadata"]["generation"], **counts, **status},
        }
        await self.kube.apply(body, subresource="status")

    async def events(self, name: str) -> list[dict[str, Any]]:
        """Events about an object."""
        events = await self.kube.list_all(BY_KIND["Event"], self.namespace)
        return [event for event in events if event["involvedObject"]["name"] == name]

    async def until_event(self, name: str, reason: str, timeout: float = 30) -> dict[str, Any]:
        """The event of this reason about an object, as soon as there is one: events follow what they tell of."""
        async with asyncio.timeout(timeout):
            while True:
                for event in await self.events(name):
                    if event["reason"] == reason:
                        return event
                await asyncio.sleep(0.1)

    def key(self, kind: str, name: str) -> Key:
        return Key(kind, self.namespace, name)


async def connect(server: KubernetesServer) -> Kube:
    """A connection of an administrator, who is not the operator."""
    return await Kube.connect(kubeconfig=str(server.kubeconfig), field_manager="somebody", requests_per_second=1000)


async def new_cluster(kube: Kube) -> Cluster:
    """A namespace of its own."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    await _create(kube, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, "/api/v1/namespaces")
    return Cluster(kube, name)


def prepare(server: KubernetesServer, *, without: Sequence[str] = ()) -> None:
    """Custom resource definitions, the operator's namespace and its rights.

    Args:
        without: kinds whose definitions are there already.
    """
    namespace = OPERATOR_ACCOUNT[0]
    documents: list[dict[str, Any]] = [
        *(d for d in definitions() if d["spec"]["names"]["kind"] not in without),
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        *rights(),
    ]
    server.kubectl(
        "apply", "--server-side", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})
    )
    wait_for_definitions(server)


def wait_for_definitions(server: KubernetesServer) -> None:
    """Until objects of our kinds can be made."""
    for resource in MANIFESTS:
        name = f"{resource.plural}.{resource.group}"
        server.kubectl("wait", "--for=condition=Established", f"crd/{name}", "--timeout=30s")
        _wait_until_served(server, name)


def _wait_until_served(server: KubernetesServer, name: str) -> None:
    """A definition that was just made is refused for a moment: "storage is (re)initializing"."""
    give_up = time.monotonic() + PATIENCE
    while True:
        try:
            server.kubectl("get", name, "--all-namespaces")
        except subprocess.CalledProcessError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.2)
        else:
            return


def definitions() -> list[dict[str, Any]]:
    """The custom resource definitions as users install them."""
    return [yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("*.yaml"))]


def rights(*settings: str) -> list[dict[str, Any]]:
    """The operator's account, roles and bindings, exactly as the chart makes them.

    Args:
        settings: values of the chart, such as ``watchNamespaces={a,b}``.
    """
    namespace, account = OPERATOR_ACCOUNT
    return chart.render(
        find_helm(),
        settings=[
            "temporal.address=temporal:7233",
            "image.repository=rojak",
            f"fullnameOverride={account.removesuffix('-operator')}",
            *settings,
        ],
        namespace=namespace,
        templates=["templates/serviceaccount.yaml", "templates/rbac.yaml"],
    )


async def _create(kube: Kube, body: dict[str, Any], path: str) -> None:
    try:
        await kube._request("POST", path, {}, body)
    except ConflictError:
        return


class OperatorProcess:
    """The operator as it runs in a pod: a process with the rights of its service account."""

    def __init__(self, server: KubernetesServer, log: Path, **environment: str) -> None:
        self._environment = os.environ | {
            "KUBECONFIG": str(server.kubeconfig_for(*OPERATOR_ACCOUNT)),
            "PYTHONPATH": "operator",
            "ROJAK_OPERATOR_NAMESPACE": OPERATOR_ACCOUNT[0],
            "ROJAK_OPERATOR_PORT": "0",
            "ROJAK_LEADER_ELECTION": "false",
            "TEMPORAL_ADDRESS": "127.0.0.1:1",
            **environment,
        }
        self.log = log
        self._child: ChildProcess | None = None
        self.port = 0

    def start(self) -> OperatorProcess:
        """Start it; it may take seconds until it works."""
        self._offset = self.log.stat().st_size if self.log.exists() else 0
        command = [
            "/usr/bin/env",
            *(f"{k}={v}" for k, v in self._environment.items()),
            sys.executable,
            "-m",
            "rojak_operator",
        ]
        self._child = ChildProcess(command, self.log)
        return self

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    def exit_code(self) -> int | None:
        return self._child.exit_code() if self._child else None

    def stop(self) -> None:
        """SIGTERM, and wait."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def kill(self) -> None:
        """SIGKILL."""
        os.kill(self.pid, 9)
        self.stop()

    def lines(self) -> list[dict[str, Any]]:
        """What it logged since it was started last."""
        text = self.log.read_text()[self._offset :] if self.log.exists() else ""
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    async def url(self) -> str:
        """Of health and metrics, once they are served."""
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            for line in self.lines():
                if "port" in line:
                    return f"http://127.0.0.1:{line['port']}"
            assert self.exit_code() is None, self.log.read_text()[-3000:]
            await asyncio.sleep(0.05)
        raise AssertionError(f"the operator serves nothing: {self.log.read_text()[-3000:]}")

    async def ask(self, path: str) -> tuple[int, str]:
        """Status and text of an answer."""
        async with aiohttp.ClientSession() as session, session.get(f"{await self.url()}{path}") as response:
            return response.status, await response.text()

    async def metric(self, name: str, **labels: str) -> float:
        """Sum of the samples of a metric that carry the labels."""
        total = 0.0
        for line in (await self.ask("/metrics"))[1].splitlines():
            found = re.fullmatch(rf"{name}(?:\{{(.*)\}})? (\S+)", line)
            if found and all(f'{label}="{value}"' in (found[1] or "") for label, value in labels.items()):
                total += float(found[2])
        return total


def kubectl_fails(server: KubernetesServer, *arguments: str, stdin: str | None = None) -> str:
    """What kubectl says when it fails."""
    try:
        server.kubectl(*arguments, stdin=stdin)
    except subprocess.CalledProcessError as error:
        return str(error.stderr)
    raise AssertionError(f"kubectl {' '.join(arguments)} succeeded")


__all__ = ["ApiError", "Cluster", "OperatorProcess", "condition", "conditions", "connect", "new_cluster", "prepare"]
