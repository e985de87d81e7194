"""Workers scaled by KEDA, in a cluster into which it comes later."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from dev.kubernetes import KubernetesServer
from rojak_operator.resources import KEDA
from tests.operator.cluster import Cluster, OperatorProcess, connect, new_cluster, prepare

pytestmark = [pytest.mark.durability, pytest.mark.timeout(240)]

AGENT: dict[str, Any] = {"instructions": "You help.", "model": {"provider": "openai", "name": "gpt-x"}}
SCALED: dict[str, Any] = {
    "worker": {"autoscaling": {"scaler": "KEDA", "minReplicas": 0, "maxReplicas": 7, "targetBacklog": 3}}
}


def definition(kind: str, plural: str) -> dict[str, Any]:
    """What KEDA's own definition says, as far as the operator needs it."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1alpha1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.keda.sh"},
        "spec": {
            "group": "keda.sh",
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [version],
        },
    }


def install_keda(server: KubernetesServer) -> None:
    items = [definition(resource.kind, resource.plural) for resource in KEDA]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    server.kubectl("apply", "--server-side", "-f", "-", stdin=text)


async def until_ended(operator: OperatorProcess) -> int:
    give_up = time.monotonic() + 60
    while (code := operator.exit_code()) is None:
        assert time.monotonic() < give_up, "the operator did not notice KEDA"
        await asyncio.sleep(0.1)
    return code


async def test_keda_comes_scales_and_is_switched_off(own_kubernetes: KubernetesServer, tmp_path: Path) -> None:
    server = own_kubernetes
    prepare(server)
    async with await connect(server) as kube:
        cluster: Cluster = await new_cluster(kube)
        operator = OperatorProcess(server, tmp_path / "operator.log", ROJAK_RESYNC="2").start()
        try:
            await cluster.apply("Agent", "triage", AGENT | SCALED)
            await cluster.until_condition("Agent", "triage", "Programmed", "False", "KEDANotInstalled")
            install_keda(server)
            # As its Deployment does: it ended with an error, and is started again.
            assert await until_ended(operator) == 1
            assert "KEDA was installed or removed" in operator.log.read_text()
            operator.stop()
            operator.start()
            await cluster.until_condition("Agent", "triage", "Programmed", "True")
            scaled = await cluster.until("ScaledObject", "triage-agent", lambda obj: bool(obj))
            assert scaled["spec"]["scaleTargetRef"]["name"] == "triage-agent"
            assert (scaled["spec"]["minReplicaCount"], scaled["spec"]["maxReplicaCount"]) == (0, 7)
            (trigger,) = scaled["spec"]["triggers"]
            assert trigger["type"] == "temporal"
            assert trigger["metadata"]["taskQueue"] == f"{cluster.namespace}.triage"
            assert trigger["metadata"]["targetQueueSize"] == "3"
            arguments = ("-n", cluster.namespace, "scale", "deployment/triage-agent", "--replicas=5")
            await asyncio.to_thread(server.kubectl, *arguments)
            changed = AGENT | SCALED | {"instructions": "You help much."}
            generation = (await cluster.apply("Agent", "triage", changed))["metadata"]["generation"]
            await cluster.until("Agent", "triage", lambda o: o["status"].get("observedGeneration") == generation)
            deployment = await cluster.get("Deployment", "triage-agent")
            assert deployment is not None
            assert deployment["spec"]["replicas"] == 5
            await cluster.apply("Agent", "triage", AGENT | {"worker": {"replicas": 2}})
            await cluster.until_gone("ScaledObject", "triage-agent")
            await cluster.until("Deployment", "triage-agent", lambda obj: obj["spec"]["replicas"] == 2)
        finally:
            operator.stop()
