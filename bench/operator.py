"""``make bench-operator``: the operator with 1,000 Agents and 100 Schedules, against a real API server and Temporal."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from dev.kubernetes import KubernetesServer
from dev.kubernetes.pytest_plugin import OPERATOR_ACCOUNT
from rojak.dev import TemporalServer
from rojak_operator.kube import Kube
from rojak_operator.resources import AGENT, BY_KIND, SCHEDULE
from tests.operator.cluster import Cluster, OperatorProcess, connect, new_cluster, prepare
from tests.operator.proxy import Proxy

#: About 2 KB, as instructions of real agents are.
_INSTRUCTIONS = "You take orders and answer politely. " * 55
_PATIENCE = 600.0


async def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.operator", description=__doc__)
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--schedules", type=int, default=100)
    parser.add_argument("--steady", type=float, default=60.0, help="seconds for which requests are counted")
    given = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="rojak-bench-") as folder, KubernetesServer([OPERATOR_ACCOUNT]) as server:
        async with TemporalServer(headless=True) as temporal, await connect(server) as kube:
            prepare(server)
            cluster = await new_cluster(kube)
            console.print(f"making {given.agents} Agents and {given.schedules} Schedules ...")
            await make_manifests(cluster, given.agents, given.schedules)
            figures = await measure(server, cluster, temporal.address, Path(folder), given, console)
    table = Table("", "measured", "target")
    for row in figures:
        table.add_row(*row)
    console.print(table)
    return 0


async def make_manifests(cluster: Cluster, agents: int, schedules: int) -> None:
    """The manifests, sixteen at a time."""
    turns = asyncio.Semaphore(16)

    async def make(kind: str, name: str, spec: dict[str, Any]) -> None:
        async with turns:
            await cluster.apply(kind, name, spec)

    model = {"provider": "openai", "name": "gpt-x", "apiKey": {"secretKeyRef": {"name": "openai", "key": "key"}}}
    await cluster.apply("Secret", "openai", data={"key": "a2V5"})
    async with asyncio.TaskGroup() as group:
        for number in range(agents):
            spec: dict[str, Any] = {"instructions": f"{_INSTRUCTIONS} {number}", "model": model}
            group.create_task(make("Agent", f"agent-{number:04}", spec))
        for number in range(schedules):
            spec = {"agentRef": {"name": f"agent-{number:04}"}, "message": "Anything new?", "cron": "0 5 * * *"}
            group.create_task(make("Schedule", f"schedule-{number:04}", spec))


async def measure(
    server: KubernetesServer, cluster: Cluster, address: str, folder: Path, given: Any, console: Console
) -> list[tuple[str, str, str]]:
    """Rows of the table."""
    objects = given.agents + given.schedules
    environment = {"TEMPORAL_ADDRESS": address, "ROJAK_LEADER_ELECTION": "true", "POD_NAME": "one"}
    operator = OperatorProcess(server, folder / "cold.log", **environment).start()
    try:
        began = time.monotonic()
        await until_settled(cluster, objects)
        cold = time.monotonic() - began
        console.print(f"settled after {cold:.1f} s")
        await until_quiet(operator, objects)
        cold_memory = memory_of(operator)
        changes = [await change_one(cluster, number) for number in range(9)]
    finally:
        operator.stop()
    async with Proxy(server) as proxy:
        environment |= {"KUBECONFIG": proxy.kubeconfig(folder), "POD_NAME": "two"}
        operator = OperatorProcess(server, folder / "warm.log", **environment).start()
        try:
            began = time.monotonic()
            await until_quiet(operator, objects)
            warm = time.monotonic() - began
            written = [what for what in proxy.writes if "/leases" not in what]
            proxy.counts.clear()
            console.print(f"counting requests for {given.steady:g} s ...")
            await asyncio.sleep(given.steady)
            requests = sum(proxy.counts.values()) / given.steady
            warm_memory = memory_of(operator)
        finally:
            operator.stop()
    return [
        (f"cold start, {objects} objects settled", f"{cold:.1f} s", "under 60 s"),
        ("memory after the cold start", f"{cold_memory:.0f} MiB", "under 200 MiB"),
        ("one changed Agent, median", f"{statistics.median(changes) * 1000:.0f} ms", "under 1 s"),
        ("one changed Agent, slowest of 9", f"{max(changes) * 1000:.0f} ms", ""),
        ("restart with nothing changed", f"{warm:.1f} s", ""),
        ("writes of that restart", str(len(written)), "0"),
        ("requests to the API server when nothing happens", f"{requests:.2f}/s", "under 1/s"),
        ("memory after the restart", f"{warm_memory:.0f} MiB", "under 200 MiB"),
    ]


async def until_settled(cluster: Cluster, objects: int) -> None:
    """Every object has its conditions for its current generation."""
    await _until(lambda: _settled(cluster.kube, cluster.namespace), objects, 2.0)


async def _settled(kube: Kube, namespace: str) -> int:
    count = 0
    for resource, wanted in ((AGENT, "Programmed"), (SCHEDULE, "Synced")):
        for obj in await kube.list_all(resource, namespace):
            conditions = (obj.get("status") or {}).get("conditions") or []
            generation = obj["metadata"]["generation"]
            count += any(
                c["type"] == wanted and c["status"] == "True" and c["observedGeneration"] == generation
                for c in conditions
            )
    return count


async def until_quiet(operator: OperatorProcess, objects: int) -> None:
    """All objects were looked at, and none waits."""

    async def looked_at() -> int:
        done = await operator.metric("rojak_operator_reconcile_total", result="success")
        return int(done) if await operator.metric("rojak_operator_queue_depth") == 0 else 0

    await _until(looked_at, objects, 1.0)
    # What its own writes brought.
    await asyncio.sleep(5)


async def _until(count: Any, wanted: int, pause: float) -> None:
    give_up = time.monotonic() + _PATIENCE
    while (found := await count()) < wanted:
        if time.monotonic() > give_up:
            raise TimeoutError(f"{found} of {wanted}")
        await asyncio.sleep(pause)


async def change_one(cluster: Cluster, number: int) -> float:
    """Seconds until a change is in the Deployment and in the status."""
    name = f"agent-{number:04}"
    agent = await cluster.get("Agent", name)
    assert agent is not None
    spec = agent["spec"] | {"instructions": f"{_INSTRUCTIONS} changed"}
    began = time.monotonic()
    await cluster.kube.merge_patch(BY_KIND["Agent"], cluster.namespace, name, {"spec": spec})
    await cluster.until_condition("Agent", name, "Programmed", "True")
    return time.monotonic() - began


def memory_of(operator: OperatorProcess) -> float:
    """Resident memory in MiB, of the process with its children."""
    process = psutil.Process(operator.pid)
    return sum(p.memory_info().rss for p in [process, *process.children(recursive=True)]) / 2**20


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
