"""What a person sees and does with kubectl."""

from __future__ import annotations

import asyncio

from dev.kubernetes import KubernetesServer
from tests.operator.cluster import Cluster
from tests.operator.test_schedules import AGENT, HOURLY


async def test_kubectl_waits_until_an_agent_is_ready(cluster: Cluster, kubernetes: KubernetesServer) -> None:
    await cluster.apply("Agent", "triage", AGENT)
    arguments = ("-n", cluster.namespace, "wait", "--for=condition=Ready", "agent/triage", "--timeout=90s")
    waiting = asyncio.create_task(asyncio.to_thread(kubernetes.kubectl, *arguments))
    await cluster.until_condition("Agent", "triage", "Programmed", "True")
    assert not waiting.done()
    await cluster.finish_rollout("triage-agent")
    assert "condition met" in await waiting


async def test_kubectl_shows_how_each_is(cluster: Cluster, kubernetes: KubernetesServer) -> None:
    await cluster.apply("WorkerPool", "shared", {})
    await cluster.apply("Agent", "triage", AGENT)
    await cluster.apply("Schedule", "news", HOURLY)
    await cluster.apply("MCPServer", "docs", {"remote": {"url": "http://127.0.0.1:9/mcp"}})
    await cluster.until_condition("Agent", "triage", "Programmed", "True")
    await cluster.finish_rollout("triage-agent")
    await cluster.until_condition("Agent", "triage", "Ready", "True")
    await cluster.until_condition("Schedule", "news", "Ready", "True")
    await cluster.until_condition("MCPServer", "docs", "Reachable", "False")
    await cluster.until_condition("WorkerPool", "shared", "Programmed", "True")
    kinds = "agents,mcpservers,schedules,workerpools"
    shown = await asyncio.to_thread(kubernetes.kubectl, "-n", cluster.namespace, "get", kinds)
    tables = [[line.split() for line in table.splitlines()] for table in shown.strip().split("\n\n")]
    rows = {row[0].partition("/")[2]: row for table in tables for row in table[1:]}
    assert {"triage", "docs", "news", "shared"} == set(rows), shown
    for table in tables:
        assert "READY" in table[0], shown
        assert table[0][-1] == "AGE", shown
    assert "True" in rows["triage"], shown
    assert "1/1" in rows["triage"], shown
    assert "True" in rows["news"], shown
    assert "False" in rows["docs"], shown
