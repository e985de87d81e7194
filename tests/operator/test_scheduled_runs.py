"""A Schedule fires runs, and a worker that was started as the operator says does them."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from temporalio.client import Client

from rojak import Rojak
from rojak.dev.process import ChildProcess
from rojak.testing import ModelServer
from tests.operator.cluster import Cluster, condition
from tests.operator.kubelet import run_pod

pytestmark = [pytest.mark.durability, pytest.mark.timeout(180)]


KEY = "a-key-of-the-test"
NEWS: dict[str, Any] = {
    "agentRef": {"name": "reporter"},
    "message": "Anything new?",
    "interval": {"every": "2s"},
}


async def begin(
    cluster: Cluster, model_server: ModelServer, folder: Path, schedule: dict[str, Any]
) -> tuple[ChildProcess, int]:
    """An Agent, a Schedule for it, and its worker as its pod runs it: with the port of its probes."""
    await cluster.apply("Secret", "openai", data={"api-key": base64.b64encode(KEY.encode()).decode()})
    model = {
        "provider": "openai",
        "name": "gpt-x",
        "baseURL": model_server.base_url,
        "apiKey": {"secretKeyRef": {"name": "openai", "key": "api-key"}},
    }
    await cluster.apply("Agent", "reporter", {"instructions": "You report.", "model": model})
    await cluster.apply("Schedule", "news", schedule)
    await cluster.until_condition("Agent", "reporter", "Programmed", "True")
    await cluster.until_condition("Schedule", "news", "Synced", "True")
    return await run_pod(cluster, "reporter-agent", folder)


async def probed(port: int, path: str) -> int:
    try:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as response:
            return response.status
    except aiohttp.ClientError:
        return 0


async def until_ready(port: int) -> None:
    async with asyncio.timeout(60):
        while await probed(port, "/readyz") != 200:
            await asyncio.sleep(0.1)


async def test_a_schedule_fires_runs_of_a_worker_that_was_started_from_the_rendered_configuration(
    cluster: Cluster, model_server: ModelServer, tmp_path: Path
) -> None:
    model_server.when(last_user="Anything new?").reply("Nothing.")
    worker, port = await begin(cluster, model_server, tmp_path, NEWS)
    try:
        await until_ready(port)
        assert await probed(port, "/healthz") == 200
        await cluster.finish_rollout("reporter-agent")
        await cluster.until_condition("Agent", "reporter", "Ready", "True")
        schedule = await cluster.until(
            "Schedule",
            "news",
            lambda obj: len([r for r in obj["status"].get("recentRuns", []) if r["status"] == "Completed"]) >= 2,
            timeout=90,
        )
        assert condition(schedule, "Ready")["status"] == "True"
        assert schedule["status"]["nextRun"]
        assert len(model_server.requests) >= 2
        assert not model_server.unmatched
        # As the kubelet does when the object is deleted: the pod is asked to go and ends in good order.
        await cluster.delete("Schedule", "news")
        await cluster.until_gone("Schedule", "news")
    finally:
        await asyncio.to_thread(worker.stop)
    assert KEY not in (tmp_path / "worker.log").read_text()


async def test_runs_of_a_continued_schedule_are_turns_of_one_session(
    cluster: Cluster, model_server: ModelServer, temporal_client: Client, tmp_path: Path
) -> None:
    model_server.when(last_user="Anything new?").reply("Nothing.")
    worker, port = await begin(cluster, model_server, tmp_path, NEWS | {"session": "Continued"})
    try:
        await until_ready(port)
        await cluster.until(
            "Schedule",
            "news",
            lambda obj: len([r for r in obj["status"].get("recentRuns", []) if r["status"] == "Completed"]) >= 2,
            timeout=90,
        )
        config = await Rojak(temporal_client, f"{cluster.namespace}.reporter").get_config(f"{cluster.namespace}.news")
        assert [message.role for message in config.messages][:4] == ["user", "assistant", "user", "assistant"]
        await cluster.delete("Schedule", "news")
        await cluster.until_gone("Schedule", "news")
    finally:
        await asyncio.to_thread(worker.stop)


@pytest.mark.parametrize("session", ["New", "Continued"])
async def test_a_schedule_pauses_after_a_turn_that_failed(
    cluster: Cluster, model_server: ModelServer, temporal_client: Client, tmp_path: Path, session: str
) -> None:
    model_server.when(last_user="Anything new?").error(400, "no")
    schedule = NEWS | {"session": session, "pauseOnFailure": True}
    worker, port = await begin(cluster, model_server, tmp_path, schedule)
    try:
        await until_ready(port)
        live = await cluster.until("Schedule", "news", lambda obj: obj["status"].get("paused"), timeout=90)
        assert live["status"]["pausedBy"] == "Failure"
        handle = temporal_client.get_schedule_handle(f"{cluster.namespace}.news")
        described = await handle.describe()
        assert described.schedule.state.paused
        # It fires no more, and the operator leaves it so.
        fired = described.info.num_actions
        generation = (await cluster.apply("Schedule", "news", schedule | {"message": "What is new?"}))["metadata"]
        await cluster.until(
            "Schedule", "news", lambda obj: obj["status"].get("observedGeneration") == generation["generation"]
        )
        described = await handle.describe()
        assert (described.schedule.state.paused, described.info.num_actions) == (True, fired)
        await cluster.until(
            "Schedule", "news", lambda obj: "Failed" in [r["status"] for r in obj["status"].get("recentRuns") or []]
        )
        if session == "Continued":
            await Rojak(temporal_client, f"{cluster.namespace}.reporter").cancel(f"{cluster.namespace}.news")
        await cluster.delete("Schedule", "news")
        await cluster.until_gone("Schedule", "news")
    finally:
        await asyncio.to_thread(worker.stop)
