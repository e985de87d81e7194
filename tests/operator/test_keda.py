"""Workers scaled by KEDA, in a cluster into which it comes later."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from dev.foreign import definitions
from dev.kubernetes import KubernetesServer
from rojak_operator.resources import BY_KIND, KEDA
from tests.operator.cluster import Cluster, OperatorProcess, connect, new_cluster, prepare

pytestmark = [pytest.mark.durability, pytest.mark.timeout(240)]

AGENT: dict[str, Any] = {"instructions": "You help.", "model": {"provider": "openai", "name": "gpt-x"}}
SCALED: dict[str, Any] = {
    "worker": {"autoscaling": {"scaler": "KEDA", "minReplicas": 0, "maxReplicas": 7, "targetBacklog": 3}}
}


CLOUD: dict[str, Any] = {
    "worker": {
        "autoscaling": {"scaler": "KEDA", "maxReplicas": 7},
        "temporal": {"address": "cloud.example:7233", "apiKey": {"secretKeyRef": {"name": "cloud", "key": "api-key"}}},
    }
}


def install_keda(server: KubernetesServer) -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": definitions("keda.sh")})
    server.kubectl("apply", "--server-side", "-f", "-", stdin=text)
    for resource in KEDA:
        server.kubectl("wait", "--for=condition=Established", f"crd/{resource.plural}.keda.sh", "--timeout=30s")


def remove_keda(server: KubernetesServer) -> None:
    """Its definitions go, and with them all objects of its kinds."""
    server.kubectl("delete", "crd", *(f"{resource.plural}.keda.sh" for resource in KEDA))


async def until_ended(operator: OperatorProcess) -> int:
    give_up = time.monotonic() + 60
    while (code := operator.exit_code()) is None:
        assert time.monotonic() < give_up, "the operator did not notice KEDA"
        await asyncio.sleep(0.1)
    return code


async def start_anew(operator: OperatorProcess) -> None:
    """As its Deployment does when it ended because KEDA came or went."""
    assert await until_ended(operator) == 1
    assert [line for line in operator.lines() if "the operator starts anew" in line["message"]]
    assert not [line for line in operator.log.read_text().splitlines() if line.startswith("Traceback")]
    operator.stop()
    operator.start()


async def test_keda_logs_in_to_temporal_as_the_workers_do(own_kubernetes: KubernetesServer, tmp_path: Path) -> None:
    server = own_kubernetes
    prepare(server)
    install_keda(server)
    async with await connect(server) as kube:
        cluster: Cluster = await new_cluster(kube)
        operator = OperatorProcess(server, tmp_path / "operator.log", ROJAK_RESYNC="2").start()
        try:
            await cluster.apply("Secret", "cloud", stringData={"api-key": "a-key-of-the-test"})
            await cluster.apply("Agent", "triage", AGENT | CLOUD)
            await cluster.until_condition("Agent", "triage", "Programmed", "True")
            login = await cluster.until("TriggerAuthentication", "triage-agent", lambda obj: bool(obj))
            assert login["spec"] == {"secretTargetRef": [{"parameter": "apiKey", "name": "cloud", "key": "api-key"}]}
            scaled = await cluster.until("ScaledObject", "triage-agent", lambda obj: bool(obj))
            assert scaled["spec"]["triggers"][0]["authenticationRef"] == {"name": "triage-agent"}
            assert "a-key-of-the-test" not in json.dumps([login, scaled])
            # Somebody's change of either is undone, as of all that is ours.
            login["spec"]["secretTargetRef"][0]["name"] = "another"
            await cluster.apply("TriggerAuthentication", "triage-agent", login["spec"])
            await cluster.until(
                "TriggerAuthentication",
                "triage-agent",
                lambda obj: obj["spec"]["secretTargetRef"][0]["name"] == "cloud",
            )

            # A Temporal without a login has none for KEDA; one that KEDA cannot talk to is said.
            await cluster.apply("Agent", "triage", AGENT | SCALED)
            await cluster.until_gone("TriggerAuthentication", "triage-agent")
            scaled = await cluster.until(
                "ScaledObject", "triage-agent", lambda obj: "authenticationRef" not in obj["spec"]["triggers"][0]
            )
            encrypted = {"worker": SCALED["worker"] | {"temporal": {"address": "temporal:7233", "tls": {}}}}
            await cluster.apply("Agent", "triage", AGENT | encrypted)
            await cluster.until_condition("Agent", "triage", "Programmed", "False", "KEDACannotConnect")
            await cluster.until_gone("ScaledObject", "triage-agent")
        finally:
            operator.stop()


async def test_another_scaler_leaves_nothing_of_the_last_one(own_kubernetes: KubernetesServer, tmp_path: Path) -> None:
    server = own_kubernetes
    prepare(server)
    install_keda(server)
    scalers = ("ScaledObject", "TriggerAuthentication", "HorizontalPodAutoscaler")
    by_cpu = {"worker": {"autoscaling": {"scaler": "HPA", "minReplicas": 2, "maxReplicas": 6}}}
    async with await connect(server) as kube:
        cluster: Cluster = await new_cluster(kube)

        async def there() -> set[str]:
            return {kind for kind in scalers if await kube.list_all(BY_KIND[kind], cluster.namespace)}

        async def until_there(*kinds: str) -> None:
            async with asyncio.timeout(60):
                while await there() != set(kinds):
                    await asyncio.sleep(0.1)

        operator = OperatorProcess(server, tmp_path / "operator.log", ROJAK_RESYNC="2").start()
        try:
            await cluster.apply("Secret", "cloud", stringData={"api-key": "a-key"})
            for worker, kinds, replicas in (
                (CLOUD, ("ScaledObject", "TriggerAuthentication"), None),
                (by_cpu, ("HorizontalPodAutoscaler",), None),
                ({"worker": {"replicas": 3}}, (), 3),
                (CLOUD, ("ScaledObject", "TriggerAuthentication"), None),
                ({"worker": {"replicas": 1}}, (), 1),
                (by_cpu, ("HorizontalPodAutoscaler",), None),
            ):
                await cluster.apply("Agent", "triage", AGENT | worker)
                await cluster.until_condition("Agent", "triage", "Programmed", "True")
                await until_there(*kinds)
                if replicas is not None:
                    await cluster.until("Deployment", "triage-agent", lambda o, n=replicas: o["spec"]["replicas"] == n)
            budgets = await kube.list_all(BY_KIND["PodDisruptionBudget"], cluster.namespace)
            assert [budget["metadata"]["name"] for budget in budgets] == ["triage-agent"]
        finally:
            operator.stop()


async def test_keda_goes_and_comes_back(own_kubernetes: KubernetesServer, tmp_path: Path) -> None:
    server = own_kubernetes
    prepare(server)
    install_keda(server)
    async with await connect(server) as kube:
        cluster: Cluster = await new_cluster(kube)
        operator = OperatorProcess(server, tmp_path / "operator.log", ROJAK_RESYNC="2").start()
        try:
            await cluster.apply("Agent", "triage", AGENT | SCALED)
            await cluster.until_condition("Agent", "triage", "Programmed", "True")
            await cluster.until("ScaledObject", "triage-agent", lambda obj: bool(obj))
            await asyncio.to_thread(remove_keda, server)
            # Right away: what was watched is gone.
            await start_anew(operator)
            await cluster.until_condition("Agent", "triage", "Programmed", "False", "KEDANotInstalled")
            # Without it nothing would start the first worker.
            await cluster.until("Deployment", "triage-agent", lambda obj: obj["spec"]["replicas"] == 1)
            await asyncio.to_thread(install_keda, server)
            await start_anew(operator)
            await cluster.until_condition("Agent", "triage", "Programmed", "True")
            await cluster.until("ScaledObject", "triage-agent", lambda obj: bool(obj))
        finally:
            operator.stop()


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
            await start_anew(operator)
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
