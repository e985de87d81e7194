"""What goes wrong in a cluster's life: afterwards all is as it should be, once, and nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import os
import socket
import time
import uuid
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from temporalio.client import Client

from dev.kubernetes import KubernetesServer
from rojak.dev import TemporalServer
from rojak_operator.resources import DEPLOYMENT
from tests.operator.cluster import (
    Cluster,
    OperatorProcess,
    condition,
    connect,
    definitions,
    new_cluster,
    prepare,
)
from tests.operator.conftest import Start
from tests.operator.proxy import Proxy
from tests.operator.test_schedules import describe, until

pytestmark = [pytest.mark.durability, pytest.mark.timeout(240)]

AGENT: dict[str, Any] = {"instructions": "You help.", "model": {"provider": "openai", "name": "gpt-x"}}
SCHEDULE: dict[str, Any] = {"agentRef": {"name": "triage"}, "message": "Anything new?", "cron": "0 * * * *"}


async def test_an_operator_that_is_killed_after_any_write_leaves_what_the_next_one_completes(
    alone: KubernetesServer, quiet: Cluster, start: Start, temporal_address: str, tmp_path: Path
) -> None:
    """Killed after the first write, the next one after its first, and so on, until nothing is left to write."""
    await quiet.apply("Agent", "triage", AGENT | {"worker": {"replicas": 2}})
    await quiet.apply("Schedule", "news", SCHEDULE, metadata={"annotations": {"rojak.dev/trigger": "once"}})
    async with Proxy(alone) as proxy:
        environment = {"KUBECONFIG": proxy.kubeconfig(tmp_path), "TEMPORAL_ADDRESS": temporal_address}
        killed = 0
        while True:
            operator = start(alone, quiet, **environment)
            before = len(proxy.writes)

            def kill(what: str, operator: OperatorProcess = operator) -> None:
                proxy.takes_writes = False
                with contextlib.suppress(ProcessLookupError):
                    os.kill(operator.pid, 9)

            proxy.on_write = kill
            proxy.takes_writes = True
            if await _settles(operator):
                assert len(proxy.writes) == before
                break
            killed += 1
            assert killed < 30, proxy.writes
    # Each of them made exactly one write.
    assert killed == len(proxy.writes) >= 5, proxy.writes
    await quiet.until_condition("Schedule", "news", "Synced", "True")
    await quiet.until_condition("Agent", "triage", "Programmed", "True")
    for kind, names in (("Deployment", ["triage-agent"]), ("PodDisruptionBudget", ["triage-agent"])):
        assert [await quiet.get(kind, name) is not None for name in names] == [True]
    client = await Client.connect(temporal_address)
    described = await describe(client, f"{quiet.namespace}.news")
    assert described is not None
    # The trigger was asked for by several operators, and made one run.
    assert described.info.num_actions == 1
    await client.get_schedule_handle(f"{quiet.namespace}.news").delete()
    for run in described.info.running_actions:
        await client.get_workflow_handle(run.workflow_id).terminate()  # type: ignore[attr-defined]


async def _settles(operator: OperatorProcess) -> bool:
    """Whether it has looked at both objects, and then for seconds at what came of it, without being killed."""
    looked_at = None
    async with asyncio.timeout(60):
        while operator.exit_code() is None:
            if looked_at is None:
                with contextlib.suppress(aiohttp.ClientError, AssertionError):
                    if await operator.metric("rojak_operator_reconcile_total", result="success") >= 2:
                        looked_at = time.monotonic()
            elif time.monotonic() - looked_at > 4:
                return True
            await asyncio.sleep(0.05)
        return False


async def test_a_restart_with_nothing_changed_writes_nothing(
    alone: KubernetesServer, quiet: Cluster, start: Start, temporal_address: str, tmp_path: Path
) -> None:
    await quiet.apply("WorkerPool", "shared", {"autoscaling": {"maxReplicas": 3}})
    for number in range(5):
        await quiet.apply("Agent", f"a{number}", AGENT | {"workerPoolRef": {"name": "shared"}})
    await quiet.apply("Agent", "triage", AGENT)
    await quiet.apply("Schedule", "news", SCHEDULE)
    async with Proxy(alone) as proxy:
        environment = {"KUBECONFIG": proxy.kubeconfig(tmp_path), "TEMPORAL_ADDRESS": temporal_address}
        operator = start(alone, quiet, **environment)
        await quiet.until_condition("Schedule", "news", "Synced", "True")
        for number in range(5):
            await quiet.until_condition("Agent", f"a{number}", "Programmed", "True")
        await asyncio.to_thread(operator.stop)
        written = list(proxy.writes)
        operator = start(alone, quiet, **environment)

        async def worked() -> bool:
            return await operator.metric("rojak_operator_reconcile_total", result="success") >= 8

        await until(worked)
        assert proxy.writes == written
        await asyncio.to_thread(operator.stop)
    await _delete_schedule(temporal_address, f"{quiet.namespace}.news")


async def test_an_api_server_that_restarts_is_followed(own_kubernetes: KubernetesServer, start: Start) -> None:
    prepare(own_kubernetes)
    async with await connect(own_kubernetes) as kube:
        cluster = await new_cluster(kube)
        start(own_kubernetes, cluster)
        await cluster.apply("Agent", "before", AGENT)
        await cluster.until_condition("Agent", "before", "Programmed", "True")
        await asyncio.to_thread(own_kubernetes.stop_apiserver)
        await asyncio.to_thread(own_kubernetes.start_apiserver)
        await cluster.apply("Agent", "after", AGENT)
        await cluster.until_condition("Agent", "after", "Programmed", "True")
        await cluster.apply("Agent", "before", AGENT | {"instructions": "You help more."})
        await cluster.until_condition("Agent", "before", "Programmed", "True")


async def test_a_watch_that_hangs_makes_the_operator_unhealthy(
    alone: KubernetesServer, quiet: Cluster, start: Start, tmp_path: Path
) -> None:
    async with Proxy(alone) as proxy:
        operator = start(alone, quiet, KUBECONFIG=proxy.kubeconfig(tmp_path), ROJAK_AUDIT="1")
        await quiet.apply("Agent", "triage", AGENT)
        await quiet.until_condition("Agent", "triage", "Programmed", "True")
        assert (await operator.ask("/healthz"))[0] == 200
        proxy.is_frozen = True
        await quiet.apply("Agent", "unheard", AGENT)

        async def is_unhealthy() -> bool:
            return (await operator.ask("/healthz")) == (500, "the watch of agents is stalled")

        await until(is_unhealthy)
        await quiet.delete("Agent", "triage")
        proxy.is_frozen = False
        await quiet.until_condition("Agent", "unheard", "Programmed", "True")

        async def is_healthy() -> bool:
            return (await operator.ask("/healthz"))[0] == 200

        await until(is_healthy)
        await asyncio.to_thread(operator.stop)


async def test_temporal_may_come_late_and_go_away(
    alone: KubernetesServer, quiet: Cluster, start: Start, tmp_path: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    operator = start(alone, quiet, TEMPORAL_ADDRESS=f"127.0.0.1:{port}")
    await quiet.apply("Agent", "triage", AGENT)
    await quiet.apply("Schedule", "news", SCHEDULE)
    await quiet.until_condition("Schedule", "news", "Synced", "False", "TemporalUnreachable")
    # Agents do not need it.
    await quiet.until_condition("Agent", "triage", "Programmed", "True")
    assert (await operator.ask("/healthz"))[0] == 200
    async with TemporalServer(port=port, db_filename=tmp_path / "temporal.db", headless=True):
        await quiet.until_condition("Schedule", "news", "Synced", "True")
    await quiet.apply("Schedule", "news", SCHEDULE | {"cron": "5 * * * *"})
    await quiet.until_condition("Schedule", "news", "Synced", "False", "TemporalUnreachable")
    async with TemporalServer(port=port, db_filename=tmp_path / "temporal.db", headless=True):
        await quiet.until_condition("Schedule", "news", "Synced", "True")
        await quiet.delete("Schedule", "news")
        await quiet.until_gone("Schedule", "news")


async def test_a_schedule_can_be_deleted_though_temporal_is_gone_for_ever(
    alone: KubernetesServer, quiet: Cluster, start: Start
) -> None:
    async with TemporalServer(headless=True) as temporal:
        start(alone, quiet, TEMPORAL_ADDRESS=temporal.address, ROJAK_DELETION_TIMEOUT="3")
        await quiet.apply("Agent", "triage", AGENT)
        await quiet.apply("Schedule", "news", SCHEDULE)
        await quiet.until_condition("Schedule", "news", "Synced", "True")
    await quiet.delete("Schedule", "news")
    assert await quiet.get("Schedule", "news") is not None
    await quiet.until_gone("Schedule", "news")
    event = await quiet.until_event("news", "ScheduleAbandoned")
    assert "delete it yourself" in event["message"]
    await quiet.until_event("news", "DeletionBlocked")


async def test_two_replicas_agree_on_one_that_works(
    alone: KubernetesServer, quiet: Cluster, start: Start, temporal_address: str
) -> None:
    def replica(name: str) -> OperatorProcess:
        return start(
            alone,
            quiet,
            ROJAK_LEADER_ELECTION="true",
            ROJAK_LEASE_SECONDS="6",
            POD_NAME=f"{name}-{uuid.uuid4().hex[:6]}",
        )

    async def leads(operator: OperatorProcess) -> bool:
        return await operator.metric("rojak_operator_leader") == 1

    first = replica("first")
    await until(lambda: leads(first))
    second = replica("second")
    await until(lambda: _is_ready(second))
    assert not await leads(second)
    await quiet.apply("Agent", "one", AGENT)
    await quiet.until_condition("Agent", "one", "Programmed", "True")
    # One that is killed is replaced when its lease has run out.
    first.kill()
    await until(lambda: leads(second))
    await quiet.apply("Agent", "two", AGENT)
    await quiet.until_condition("Agent", "two", "Programmed", "True")
    # One that is asked to go hands over at once.
    third = replica("third")
    await until(lambda: _is_ready(third))
    await asyncio.to_thread(second.stop)
    await until(lambda: leads(third))


async def _is_ready(operator: OperatorProcess) -> bool:
    return (await operator.ask("/readyz"))[0] == 200


async def test_what_is_not_ours_is_never_touched(cluster: Cluster) -> None:
    foreign = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}}
    pod = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "theirs"}]}}
    await cluster.apply("Deployment", "triage-agent", foreign | {"template": pod})
    await cluster.apply("Agent", "triage", AGENT)
    agent = await cluster.until_condition("Agent", "triage", "Programmed", "False", "NameTaken")
    assert "triage-agent" in condition(agent, "Programmed")["message"]
    live = await cluster.get("Deployment", "triage-agent")
    assert live is not None
    assert live["metadata"].get("ownerReferences") is None
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "theirs"
    await cluster.delete("Deployment", "triage-agent")
    await cluster.until_condition("Agent", "triage", "Programmed", "True")


async def test_what_the_api_server_refuses_is_said(cluster: Cluster) -> None:
    template = {"spec": {"containers": [{"name": "worker", "resources": {"requests": {"cpu": "lots"}}}]}}
    await cluster.apply("Agent", "triage", AGENT | {"worker": {"podTemplate": template}})
    agent = await cluster.until_condition("Agent", "triage", "Programmed", "False", "ApplyFailed")
    assert "quantities" in condition(agent, "Programmed")["message"]
    await cluster.apply("Agent", "triage", AGENT)
    await cluster.until_condition("Agent", "triage", "Programmed", "True")


async def test_a_rollout_that_gets_nowhere_says_where_to_look(cluster: Cluster) -> None:
    await cluster.apply("Agent", "triage", AGENT | {"worker": {"image": "no/such:image"}})
    await cluster.until_condition("Agent", "triage", "Programmed", "True")
    stuck = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "no progress"}
    await cluster.finish_rollout("triage-agent", ready=0, conditions=[stuck])
    agent = await cluster.until_condition("Agent", "triage", "Ready", "False", "RolloutStuck")
    assert "kubectl describe pods -l rojak.dev/agent=triage" in condition(agent, "Ready")["message"]
    await cluster.until_event("triage", "RolloutStuck")
    events = [event["reason"] for event in await cluster.events("triage")]
    assert events.count("RolloutStuck") == 1


async def test_an_agent_that_is_deleted_is_not_made_again(cluster: Cluster) -> None:
    """Its Deployment goes by the garbage collector, which there is none here: the pods drain, as with any rollout."""
    await cluster.apply("Agent", "triage", AGENT)
    await cluster.until_condition("Agent", "triage", "Programmed", "True")
    deployment = await cluster.until("Deployment", "triage-agent", lambda obj: True)
    await cluster.delete("Agent", "triage")
    await cluster.until_gone("Agent", "triage")
    await cluster.delete("Deployment", "triage-agent")
    await cluster.apply("Agent", "later", AGENT)
    await cluster.until_condition("Agent", "later", "Programmed", "True")
    assert await cluster.get("Deployment", "triage-agent") is None
    assert deployment["metadata"]["ownerReferences"][0]["blockOwnerDeletion"] is True
    assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > 30


async def test_a_successor_of_the_same_name_gets_objects_of_its_own(cluster: Cluster) -> None:
    await cluster.apply("Agent", "triage", AGENT)
    await cluster.until_condition("Agent", "triage", "Programmed", "True")
    await cluster.delete("Agent", "triage")
    await cluster.until_gone("Agent", "triage")
    successor = await cluster.apply("Agent", "triage", AGENT)
    # The garbage collector has not come by yet: what is there belongs to the one before.
    await cluster.until_condition("Agent", "triage", "Programmed", "False", "NameTaken")
    await cluster.delete("Deployment", "triage-agent")
    await cluster.delete("ConfigMap", "triage-agent")
    await cluster.until_condition("Agent", "triage", "Programmed", "True")
    deployment = await cluster.until("Deployment", "triage-agent", lambda obj: True)
    assert deployment["metadata"]["ownerReferences"][0]["uid"] == successor["metadata"]["uid"]


async def test_two_agents_cannot_claim_one_task_queue(cluster: Cluster, prepared: KubernetesServer) -> None:
    """``a.b`` in namespace ``x`` would be ``b`` in ``x.a``: names have no dots, so that the queues differ."""
    from tests.operator.cluster import kubectl_fails

    manifest = {
        "apiVersion": "rojak.dev/v1alpha1",
        "kind": "Agent",
        "metadata": {"name": "a.b", "namespace": cluster.namespace},
        "spec": AGENT,
    }
    assert "lower-case letters" in kubectl_fails(prepared, "apply", "-f", "-", stdin=json.dumps(manifest))


async def test_definitions_of_other_versions_are_no_reason_to_fail(
    own_kubernetes: KubernetesServer, start: Start
) -> None:
    """An older one knows fewer fields of the status, a newer one more fields of the spec."""
    changed = copy.deepcopy(next(d for d in definitions() if d["spec"]["names"]["kind"] == "Agent"))
    schema = changed["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    for field in ("taskQueue", "workers", "revision"):
        del schema["status"]["properties"][field]
    schema["spec"]["properties"]["mood"] = {"type": "string"}
    await asyncio.to_thread(own_kubernetes.kubectl, "create", "-f", "-", stdin=json.dumps(changed))
    prepare(own_kubernetes, without=["Agent"])
    async with await connect(own_kubernetes) as kube:
        cluster = await new_cluster(kube)
        operator = start(own_kubernetes, cluster)
        await cluster.apply("Agent", "triage", AGENT)
        agent = await cluster.until_condition("Agent", "triage", "Programmed", "True")
        assert "taskQueue" not in agent["status"]
        deployment = await cluster.get("Deployment", "triage-agent")
        await cluster.apply("Agent", "triage", AGENT | {"mood": "sunny"})
        agent = await cluster.until_condition("Agent", "triage", "Accepted", "False", "InvalidSpec")
        message = condition(agent, "Accepted")["message"]
        assert "mood" in message
        assert "another version" in message
        # What runs goes on.
        now = await cluster.get("Deployment", "triage-agent")
        assert deployment is not None
        assert now is not None
        assert now["metadata"]["resourceVersion"] == deployment["metadata"]["resourceVersion"]
        # No hot loop: the status that cannot be written whole is not written again and again.
        count = await operator.metric("rojak_operator_reconcile_total")
        await asyncio.sleep(4)
        assert await operator.metric("rojak_operator_reconcile_total") - count < 20


async def test_an_autoscaler_keeps_the_number_that_it_set(cluster: Cluster) -> None:
    await cluster.apply("Agent", "triage", AGENT | {"worker": {"replicas": 3}})
    await cluster.until_condition("Agent", "triage", "Programmed", "True")
    await cluster.apply("Agent", "triage", AGENT | {"worker": {"autoscaling": {"maxReplicas": 9}}})
    await cluster.until("HorizontalPodAutoscaler", "triage-agent", lambda obj: True)
    await cluster.until_condition("Agent", "triage", "Programmed", "True")
    deployment = await cluster.get("Deployment", "triage-agent")
    assert deployment is not None
    assert deployment["spec"]["replicas"] == 3
    # As the autoscaler's controller does.
    path = DEPLOYMENT.path(cluster.namespace, "triage-agent", "scale")
    scale = [{"op": "replace", "path": "/spec/replicas", "value": 7}]
    await cluster.kube._request("PATCH", path, {}, scale, "application/json-patch+json")
    await cluster.apply(
        "Agent", "triage", AGENT | {"instructions": "More.", "worker": {"autoscaling": {"maxReplicas": 9}}}
    )
    await cluster.until("Deployment", "triage-agent", lambda obj: obj["metadata"]["generation"] >= 3)
    await cluster.until_condition("Agent", "triage", "Programmed", "True")
    deployment = await cluster.until("Deployment", "triage-agent", lambda obj: True)
    assert deployment["spec"]["replicas"] == 7
    await cluster.apply("Agent", "triage", AGENT | {"worker": {"replicas": 2}})
    await cluster.until("Deployment", "triage-agent", lambda obj: obj["spec"]["replicas"] == 2)
    await cluster.until_gone("HorizontalPodAutoscaler", "triage-agent")


async def test_without_keda_that_is_said(cluster: Cluster) -> None:
    worker = {"autoscaling": {"minReplicas": 0, "maxReplicas": 5, "scaler": "KEDA"}}
    await cluster.apply("Agent", "triage", AGENT | {"worker": worker})
    agent = await cluster.until_condition("Agent", "triage", "Programmed", "False", "KEDANotInstalled")
    assert "set scaler: HPA" in condition(agent, "Programmed")["message"]
    deployment = await cluster.get("Deployment", "triage-agent")
    assert deployment is not None
    assert deployment["spec"]["replicas"] == 1


async def _delete_schedule(address: str, schedule_id: str) -> None:
    client = await Client.connect(address)
    await client.get_schedule_handle(schedule_id).delete()
