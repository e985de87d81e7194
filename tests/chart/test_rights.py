"""The operator with exactly the rights that the chart gives it: enough for everything, and nothing beyond."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from dev.helm import CHART, Helm
from dev.kubernetes import KubernetesServer
from rojak.dev.process import ChildProcess
from tests.chart.installed import operator_as_installed
from tests.operator.cluster import Cluster, OperatorProcess, connect, new_cluster
from tests.operator.test_mcp_servers import free_port, listening
from tests.operator.test_schedules import AGENT, HOURLY, describe, until

pytestmark = pytest.mark.timeout(240)

NAMESPACE = "rojak-system"


@pytest.fixture
async def inside(own_cluster: KubernetesServer) -> AsyncIterator[Cluster]:
    """A namespace that the operator is to watch."""
    async with await connect(own_cluster) as kube:
        yield await new_cluster(kube)


@pytest.fixture
async def outside(own_cluster: KubernetesServer) -> AsyncIterator[Cluster]:
    """A namespace that it is not to."""
    async with await connect(own_cluster) as kube:
        yield await new_cluster(kube)


@pytest.fixture
def operator(
    own_cluster: KubernetesServer, installer: Helm, inside: Cluster, temporal_address: str, tmp_path: Path
) -> Iterator[OperatorProcess]:
    """Installed for one namespace, and run with the token of the account that the chart made."""
    installer(
        *("upgrade", "--install", "rojak", str(CHART), "--namespace", NAMESPACE, "--create-namespace"),
        *("--set", "image.repository=rojak"),
        *("--set", f"temporal.address={temporal_address}", "--set", f"watchNamespaces={{{inside.namespace}}}"),
    )
    process = operator_as_installed(own_cluster, tmp_path)
    try:
        yield process.start()
    finally:
        process.stop()
        installer("uninstall", "rojak", "--namespace", NAMESPACE)


@pytest.fixture
async def weather(tmp_path: Path) -> AsyncIterator[str]:
    """Address of an MCP server."""
    port = free_port()
    process = ChildProcess([sys.executable, "-m", "tests.operator.mcp_program", str(port)], tmp_path / "mcp.log")
    try:
        await listening(port)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.stop()


async def test_all_kinds_are_reconciled_with_the_charts_rights_and_only_where_they_hold(
    own_cluster: KubernetesServer,
    operator: OperatorProcess,
    inside: Cluster,
    outside: Cluster,
    weather: str,
    temporal_address: str,
) -> None:
    for cluster in (outside, inside):
        await cluster.apply("Secret", "model", type="Opaque", stringData={"key": "sk-1"})
        secret = {"secretKeyRef": {"name": "model", "key": "key"}}
        model = AGENT["model"] | {"apiKey": secret}
        await cluster.apply("WorkerPool", "shared", {"autoscaling": {"maxReplicas": 3}})
        await cluster.apply("MCPServer", "weather", {"remote": {"url": weather}})
        await cluster.apply(
            "MCPServer", "files", {"managed": {"image": "files:1", "transport": "StreamableHTTP", "port": 9000}}
        )
        spec = AGENT | {"model": model, "tools": [{"mcp": {"serverRef": {"name": "weather"}}}]}
        await cluster.apply("Agent", "triage", spec | {"worker": {"replicas": 2}})
        await cluster.apply("Agent", "pooled", AGENT | {"workerPoolRef": {"name": "shared"}})
        await cluster.apply("Schedule", "news", HOURLY)

    # One after the other, everything is made, read back and told.
    await inside.until_condition("MCPServer", "weather", "Ready", "True")
    for kind, name, deployment in (
        ("Agent", "triage", "triage-agent"),
        ("WorkerPool", "shared", "shared-pool"),
        ("MCPServer", "files", "files-mcp"),
    ):
        await inside.until_condition(kind, name, "Programmed", "True")
        await inside.finish_rollout(deployment)
        if kind != "MCPServer":
            await inside.until_condition(kind, name, "Ready", "True")
    await inside.until_condition("Agent", "pooled", "Ready", "True")
    await inside.until_condition("Schedule", "news", "Ready", "True")
    for kind, name in (
        ("PodDisruptionBudget", "triage-agent"),
        ("HorizontalPodAutoscaler", "shared-pool"),
        ("Service", "files-mcp"),
    ):
        assert await inside.get(kind, name) is not None
    assert await inside.events("triage")
    lease = json.loads(own_cluster.kubectl("get", "lease", "rojak-operator", "-n", NAMESPACE, "-o", "json"))
    assert lease["spec"]["holderIdentity"] == "rojak-operator-0"

    # A changed Secret rolls, what was edited is repaired, what is not wanted any more goes.
    before = await inside.get("Deployment", "triage-agent")
    assert before is not None
    await inside.apply("Secret", "model", type="Opaque", stringData={"key": "sk-2"})
    template = before["spec"]["template"]
    await inside.until("Deployment", "triage-agent", lambda obj: obj["spec"]["template"] != template)
    await inside.delete("Deployment", "shared-pool")
    await inside.until("Deployment", "shared-pool", lambda obj: True)
    await inside.apply("Agent", "triage", AGENT | {"worker": {"replicas": 1}})
    await inside.until_gone("PodDisruptionBudget", "triage-agent")
    client = await Client.connect(temporal_address)
    await inside.delete("Schedule", "news")
    await inside.until_gone("Schedule", "news")
    assert await describe(client, f"{inside.namespace}.news") is None

    # A full round of looking again went by without anybody being refused anything.
    audits = await operator.metric("rojak_operator_reconcile_total")

    async def looked_again() -> bool:
        return await operator.metric("rojak_operator_reconcile_total") > audits + 4

    await until(looked_again)
    # A time or a port may have these digits in it, so they count as a number of their own and not in times.
    said = [json.dumps({name: value for name, value in line.items() if name != "time"}) for line in operator.lines()]
    assert not [text for text in said if re.search(r"orbidden|\b403\b", text)]

    # Elsewhere it did nothing.
    for kind, name in (("Agent", "triage"), ("WorkerPool", "shared"), ("MCPServer", "weather"), ("Schedule", "news")):
        obj = await outside.get(kind, name)
        assert obj is not None
        assert "status" not in obj
        assert "finalizers" not in obj["metadata"]
    for kind in ("Deployment", "ConfigMap", "Service", "HorizontalPodAutoscaler"):
        assert await outside.get(kind, "triage-agent") is None
        assert await outside.get(kind, "shared-pool") is None
    assert await describe(client, f"{outside.namespace}.news") is None


ACCOUNT = f"system:serviceaccount:{NAMESPACE}:rojak-operator"
#: Verb and resource: what it may do where it watches.
ALLOWED: list[tuple[str, str]] = [
    ("watch", "agents.rojak.dev"),
    ("patch", "schedules.rojak.dev"),
    ("patch", "agents.rojak.dev/status"),
    ("get", "secrets"),
    ("patch", "deployments.apps"),
    ("create", "events"),
]
#: What it may do nowhere.
FORBIDDEN: list[tuple[str, str]] = [
    ("create", "pods"),
    ("get", "pods/exec"),
    ("create", "secrets"),
    ("patch", "secrets"),
    ("delete", "secrets"),
    ("delete", "agents.rojak.dev"),
    ("patch", "agents.rojak.dev"),
    ("create", "serviceaccounts/token"),
    ("create", "roles.rbac.authorization.k8s.io"),
    ("bind", "clusterroles.rbac.authorization.k8s.io"),
    ("impersonate", "users"),
    ("list", "namespaces"),
    ("patch", "customresourcedefinitions.apiextensions.k8s.io"),
]


async def test_outside_of_the_watched_namespaces_it_may_do_nothing(
    operator: OperatorProcess, inside: Cluster, outside: Cluster
) -> None:
    async def may(verb: str, resource: str, namespace: str) -> bool:
        return await _may(inside, verb, resource, namespace)

    for verb, resource in ALLOWED:
        assert await may(verb, resource, inside.namespace), (verb, resource)
        assert not await may(verb, resource, outside.namespace), (verb, resource)
        assert not await may(verb, resource, NAMESPACE), (verb, resource)
    for verb, resource in FORBIDDEN:
        for namespace in (inside.namespace, outside.namespace, NAMESPACE):
            assert not await may(verb, resource, namespace), (verb, resource, namespace)
    assert await may("update", "leases.coordination.k8s.io/rojak-operator", NAMESPACE)
    assert not await may("update", "leases.coordination.k8s.io/somebody-elses", NAMESPACE)


async def _may(cluster: Cluster, verb: str, resource: str, namespace: str) -> bool:
    """Asked of the authorizer itself."""
    whole, *rest = resource.split("/")
    kind, _, group = whole.partition(".")
    attributes: dict[str, Any] = {"verb": verb, "group": group, "resource": kind, "namespace": namespace}
    if rest:
        attributes["name" if kind == "leases" else "subresource"] = rest[0]
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": ACCOUNT, "groups": ["system:authenticated"], "resourceAttributes": attributes},
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    answer = await cluster.kube._request("POST", path, {}, review)
    return bool(answer["status"]["allowed"])


def test_people_may_with_our_kinds_what_they_may_in_their_namespace(
    own_cluster: KubernetesServer, installer: Helm
) -> None:
    """The controller that aggregates roles is not here: what it would put together is asked for by its label."""
    installer(
        *("upgrade", "--install", "rojak", str(CHART), "--namespace", NAMESPACE, "--create-namespace"),
        *("--set", "temporal.address=temporal:7233", "--set", "image.repository=rojak"),
    )

    def verbs(role: str) -> dict[str, set[str]]:
        label = f"rbac.authorization.k8s.io/aggregate-to-{role}=true,app.kubernetes.io/part-of=rojak"
        found: dict[str, set[str]] = {}
        items = json.loads(own_cluster.kubectl("get", "clusterroles", "-l", label, "-o", "json"))["items"]
        for rule in (rule for item in items for rule in item["rules"]):
            for resource in rule["resources"]:
                found.setdefault(resource, set()).update(rule["verbs"])
        return found

    try:
        view, edit, admin = verbs("view"), verbs("edit"), verbs("admin")
    finally:
        installer("uninstall", "rojak", "--namespace", NAMESPACE)
    read = {"get", "list", "watch"}
    for kind in ("agents", "mcpservers", "schedules", "workerpools"):
        assert view[kind] == view[f"{kind}/status"] == edit[f"{kind}/status"] == admin[f"{kind}/status"] == read
        assert edit[kind] == read | {"create", "update", "patch", "delete"}
        assert admin[kind] == edit[kind] | {"deletecollection"}
    assert "agents/scale" not in view
    assert "update" in edit["agents/scale"]
