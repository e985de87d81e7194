"""Versions of the code side by side: real workers as pods, a real Temporal, and the operator between them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from dev.kubernetes import KubernetesServer
from rojak import ResumeResponse, Rojak, TaskParams
from rojak.agents import AgentRef
from rojak.dev.process import ChildProcess
from rojak.testing import ModelServer
from rojak.types import OrchestratorResponse, ResumeRequest
from rojak_operator.resources import BY_KIND
from tests.integration.session.script import follow_script
from tests.integration.session.versions import until_on, version_of
from tests.operator.cluster import Cluster, OperatorProcess, condition, connect, new_cluster, prepare
from tests.operator.kubelet import run_pod
from tests.operator.test_scheduled_runs import until_ready

pytestmark = [pytest.mark.durability, pytest.mark.timeout(300)]

#: Temporal has to notice that nothing needs a version any more.
PATIENCE = 120.0
MANAGED = {"mode": "Managed", "keepDrained": "1s"}
WORKER = {"functions": {"configMapRef": {"name": "tools"}}}
FUNCTIONS = '''
def which() -> str:
    """Which version."""
    return {label!r}


def pay() -> str:
    """Pay; has to be approved."""
    return "paid by " + {label!r}
'''


class Clerk:
    """An Agent with workers of its own, whose code is in a ConfigMap; and who talks to it."""

    def __init__(self, cluster: Cluster, model: ModelServer, client: Client, folder: Path) -> None:
        self.cluster = cluster
        self.client = client
        self.rojak = Rojak(client, f"{cluster.namespace}.clerk")
        self.pods: dict[str, ChildProcess] = {}
        self._folder = folder
        self._model = model
        model.otherwise().reply(follow_script)

    async def write(self, label: str) -> None:
        """The code of a version."""
        await self.cluster.apply("ConfigMap", "tools", data={"tools.py": FUNCTIONS.format(label=label)})

    async def apply(self, *, pool: str | None = None, **worker: Any) -> None:
        """The Agent, with workers of its own or on a pool."""
        await self.cluster.apply("Secret", "openai", data={"api-key": base64.b64encode(b"key").decode()})
        model = {
            "provider": "openai",
            "name": "gpt-x",
            "baseURL": self._model.base_url,
            "apiKey": {"secretKeyRef": {"name": "openai", "key": "api-key"}},
        }
        tools = [
            {"function": {"name": "tools:which"}},
            {"function": {"name": "tools:pay"}, "approval": {"mode": "Always"}},
        ]
        place: dict[str, Any] = {"worker": WORKER | worker}
        if pool is not None:
            place = {"workerPoolRef": {"name": pool}}
        spec = {"instructions": "You pay.", "model": model, "tools": tools, **place}
        await self.cluster.apply("Agent", "clerk", spec)

    async def deployment(self, *others: str) -> str:
        """The Deployment of the version that is wanted, once it is not one of the others any more."""
        agent = await self.cluster.until(
            "Agent",
            "clerk",
            lambda obj: (
                obj.get("status", {}).get("deployment") not in (None, *others)
                and obj["status"]["observedGeneration"] == obj["metadata"]["generation"]
            ),
        )
        return str(agent["status"]["deployment"])

    async def start(self, deployment: str) -> None:
        """A pod of a Deployment, as far as it is ready."""
        folder = self._folder / deployment
        folder.mkdir()
        self.pods[deployment], port = await run_pod(self.cluster, deployment, folder)
        try:
            await until_ready(port)
        except TimeoutError:
            raise AssertionError((folder / "worker.log").read_text()[-3000:]) from None

    async def roll_out(self, deployment: str) -> dict[str, Any]:
        """A pod, until the Agent is ready; the Agent."""
        await self.start(deployment)
        await self.cluster.finish_rollout(deployment)
        agent = await self.cluster.until_condition("Agent", "clerk", "Ready", "True")
        assert agent["status"]["deployment"] == deployment
        return agent

    async def retire(self, deployment: str) -> None:
        """Wait until a Deployment is gone, and end its pod as the kubelet does."""
        await self.cluster.until_gone("Deployment", deployment, timeout=PATIENCE)
        await self.stop(deployment)

    async def stop(self, deployment: str) -> None:
        await asyncio.to_thread(self.pods.pop(deployment).stop)

    async def run(self, session: str, *lines: str) -> Any:
        """The result of a turn."""
        message: Any = {"role": "user", "content": "\n".join(lines)}
        task = TaskParams(agent=AgentRef("clerk"), messages=[message])
        return (await self.rojak.run(id=self.id(session), type="persistent", task=task)).result

    async def which(self, session: str) -> str:
        """The version of which a session gets the functions."""
        return text(await self.run(session, "call which", "echo"))

    def id(self, session: str) -> str:
        return f"{self.cluster.namespace}.{session}"


def text(result: Any) -> str:
    assert isinstance(result, OrchestratorResponse), result
    return result.messages[-1].text


@contextlib.asynccontextmanager
async def hired(cluster: Cluster, model: ModelServer, client: Client, folder: Path) -> AsyncIterator[Clerk]:
    clerk = Clerk(cluster, model, client, folder)
    try:
        yield clerk
    finally:
        for pod in clerk.pods.values():
            await asyncio.to_thread(pod.stop)


@pytest.fixture
async def clerk(
    cluster: Cluster, model_server: ModelServer, temporal_client: Client, tmp_path: Path
) -> AsyncIterator[Clerk]:
    async with hired(cluster, model_server, temporal_client, tmp_path) as clerk:
        yield clerk


async def test_a_session_ends_its_turn_on_the_old_version_which_goes_when_nothing_needs_it(
    own_kubernetes: KubernetesServer,
    model_server: ModelServer,
    temporal_client: Client,
    temporal_address: str,
    tmp_path: Path,
) -> None:
    prepare(own_kubernetes)
    operator = OperatorProcess(
        own_kubernetes, tmp_path / "operator.log", ROJAK_RESYNC="5", TEMPORAL_ADDRESS=temporal_address
    ).start()
    try:
        async with (
            await connect(own_kubernetes) as kube,
            hired(await new_cluster(kube), model_server, temporal_client, tmp_path) as clerk,
        ):
            cluster = clerk.cluster
            await clerk.write("v1")
            await clerk.apply(versioning=MANAGED)
            old = await clerk.deployment()
            agent = await clerk.roll_out(old)
            first = agent["status"]["buildID"]
            assert [(v["buildID"], v["state"]) for v in agent["status"]["versions"]] == [(first, "Current")]
            assert "gets what begins" in (await cluster.until_event("clerk", "VersionIsCurrent"))["message"]
            waiting = await clerk.run("waiting", "call pay", "call which", "echo")
            assert isinstance(waiting, ResumeRequest)
            assert await clerk.which("idle") == "v1"

            # Other instructions are no other version.
            await cluster.kube.merge_patch(
                BY_KIND["Agent"], cluster.namespace, "clerk", {"spec": {"instructions": "You pay well."}}
            )
            assert await clerk.deployment() == old

            operator.kill()
            await clerk.write("v2")
            operator.start()
            new = await clerk.deployment(old)
            # The old version has what it had, and until the new one works it is the one that gets work.
            functions = await cluster.get("ConfigMap", f"{old}-functions")
            assert functions is not None
            assert "'v1'" in functions["data"]["tools.py"]
            agent = await cluster.until_condition("Agent", "clerk", "Ready", "False")
            assert agent["status"]["buildID"] == first
            assert f"version {first} goes on meanwhile" in condition(agent, "Ready")["message"]
            assert await clerk.which("another") == "v1"

            await clerk.start(new)
            operator.kill()
            await cluster.finish_rollout(new)
            operator.start()
            agent = await cluster.until_condition("Agent", "clerk", "Ready", "True")
            second = agent["status"]["buildID"]
            assert second != first
            # An idle session moves by itself; the turn that waits ends as it began.
            await until_on(temporal_client, clerk.id("idle"), second)
            agent = await cluster.until(
                "Agent", "clerk", lambda obj: "Draining" in [v["state"] for v in obj["status"]["versions"]]
            )
            assert await version_of(temporal_client, clerk.id("waiting")) == first
            assert await cluster.get("Deployment", old) is not None
            assert await clerk.which("new") == "v2"
            decision = ResumeResponse(action="approve", tool_id=waiting.tool_id)
            ended = await clerk.rojak.run(id=clerk.id("waiting"), resume=decision)
            assert text(ended.result) == "paid by v1 | v1"
            assert await clerk.which("waiting") == "v2"

            await clerk.retire(old)
            await cluster.until_gone("ConfigMap", old)
            await cluster.until_gone("ConfigMap", f"{old}-functions")
            await cluster.until(
                "Agent", "clerk", lambda obj: [v["buildID"] for v in obj["status"]["versions"]] == [second]
            )
            assert (await cluster.until_event("clerk", "VersionRetired"))["type"] == "Normal"
            assert await clerk.which("idle") == "v2"
    finally:
        operator.stop()


async def test_a_version_that_does_not_work_never_gets_work(clerk: Clerk) -> None:
    cluster = clerk.cluster
    await clerk.write("v1")
    await clerk.apply(versioning=MANAGED)
    good = await clerk.deployment()
    first = (await clerk.roll_out(good))["status"]["buildID"]
    await clerk.write("v2")
    bad = await clerk.deployment(good)
    # Its pods crash, and after a while its controller gives up.
    deadline = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    await cluster.finish_rollout(bad, ready=0, conditions=[deadline])
    agent = await cluster.until_condition("Agent", "clerk", "Ready", "False", "RolloutStuck")
    assert f"version {first} goes on meanwhile" in condition(agent, "Ready")["message"]
    assert agent["status"]["buildID"] == first
    assert await clerk.which("session") == "v1"
    # The next one takes over from the one before; nothing needs the bad one.
    await clerk.write("v3")
    new = await clerk.deployment(good, bad)
    await cluster.until_gone("Deployment", bad)
    assert await cluster.get("Deployment", good) is not None
    await clerk.roll_out(new)
    await until_on(clerk.client, clerk.id("session"), await current(clerk))
    assert await clerk.which("session") == "v3"
    await clerk.retire(good)


async def test_a_version_comes_back_while_it_is_kept(clerk: Clerk) -> None:
    await clerk.write("v1")
    await clerk.apply(versioning=MANAGED | {"keepDrained": "1h"})
    one = await clerk.deployment()
    first = (await clerk.roll_out(one))["status"]["buildID"]
    assert await clerk.which("session") == "v1"
    await clerk.write("v2")
    two = await clerk.deployment(one)
    await clerk.roll_out(two)
    # Back to the code of before, whose workers are still there.
    await clerk.write("v1")
    assert await clerk.deployment(two) == one
    await clerk.cluster.until("Agent", "clerk", lambda obj: obj["status"]["buildID"] == first)
    await until_on(clerk.client, clerk.id("session"), first)
    assert await clerk.which("new") == "v1"


async def test_versions_are_switched_on_and_off(clerk: Clerk) -> None:
    cluster = clerk.cluster
    await clerk.write("v0")
    await clerk.apply()
    plain = await clerk.deployment()
    await clerk.roll_out(plain)
    assert plain == "clerk-agent"
    assert await clerk.which("session") == "v0"
    await clerk.write("v1")
    # Other functions roll the pods. Until the operator has heard of them, they would be of another version.
    await cluster.until_condition("Agent", "clerk", "Ready", "False")
    await clerk.apply(versioning=MANAGED)
    version = await clerk.deployment(plain)
    assert await cluster.get("Deployment", plain) is not None
    await clerk.roll_out(version)
    await clerk.retire(plain)
    assert await clerk.which("session") == "v1"
    await clerk.write("v2")
    another = await clerk.deployment(version)
    await clerk.apply()
    assert await clerk.deployment(version, another) == plain
    (clerk._folder / plain).rename(clerk._folder / "before")
    await clerk.roll_out(plain)
    await until_on(clerk.client, clerk.id("session"), "")
    assert await clerk.which("session") == "v2"
    await clerk.retire(version)
    agent = await cluster.until("Agent", "clerk", lambda obj: "versions" not in obj["status"])
    assert "buildID" not in agent["status"]
    assert condition(agent, "Ready")["status"] == "True"


async def test_a_temporal_that_does_not_answer_is_said(clerk: Clerk) -> None:
    await clerk.write("v1")
    await clerk.apply(versioning=MANAGED, temporal={"address": "127.0.0.1:1"})
    await clerk.cluster.finish_rollout(await clerk.deployment())
    agent = await clerk.cluster.until_condition("Agent", "clerk", "Ready", "False", "TemporalUnreachable")
    assert "is ready, and could not be made the current one" in condition(agent, "Ready")["message"]
    assert condition(agent, "Programmed")["status"] == "True"


async def test_who_comes_after_an_agent_with_versions_gets_work(clerk: Clerk) -> None:
    cluster = clerk.cluster
    await clerk.write("v1")
    await clerk.apply(versioning=MANAGED)
    version = await clerk.deployment()
    await clerk.roll_out(version)
    assert await clerk.which("first") == "v1"
    # The garbage collector is not there: what it would delete stays, and the pod ends.
    await cluster.delete("Agent", "clerk")
    await cluster.until_gone("Agent", "clerk")
    await clerk.stop(version)
    await cluster.delete("Deployment", version)
    await clerk.apply()
    await clerk.roll_out(await clerk.deployment())
    assert await clerk.which("second") == "v1"


async def test_an_agent_with_versions_comes_to_a_pool(clerk: Clerk) -> None:
    cluster = clerk.cluster
    await clerk.write("v1")
    await clerk.apply(versioning=MANAGED)
    version = await clerk.deployment()
    await clerk.roll_out(version)
    assert await clerk.which("first") == "v1"
    await cluster.apply("WorkerPool", "shared", WORKER)
    await clerk.apply(pool="shared")
    # The pool's Deployment follows its configuration; from then on it has the agent's Secret.
    await cluster.until("Deployment", "shared-pool", lambda obj: "openai" in json.dumps(obj["spec"]["template"]))
    await clerk.start("shared-pool")
    await cluster.finish_rollout("shared-pool")
    await cluster.until_condition("Agent", "clerk", "Ready", "True")
    await clerk.retire(version)
    assert await version_of(clerk.client, clerk.id("first")) == ""
    assert await clerk.which("first") == "v1"


async def current(clerk: Clerk) -> str:
    agent = await clerk.cluster.get("Agent", "clerk")
    assert agent is not None
    return str(agent["status"]["buildID"])
