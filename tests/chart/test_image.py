"""The image, built for real: operator and worker run in it as in pods, and one with tools is built on it.

Skipped where there is nothing to build with, or the base image is not to be had.
"""

from __future__ import annotations

import asyncio
import json
import zipfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from temporalio.client import Client

from dev.helm import CHART, find_helm
from dev.image import NAME, ROOT, Builder, ImageError, ensure_base, find_builder
from dev.kubernetes import KubernetesServer
from dev.kubernetes.pytest_plugin import OPERATOR_ACCOUNT
from rojak import Rojak, TaskParams
from rojak.agents import AgentRef
from rojak.testing import ModelServer
from rojak.types import OrchestratorResponse
from tests.integration.hosting.worker_processes import FUNCTIONS, Worker, agent, configuration, write_config
from tests.integration.session.script import follow_script
from tests.operator.cluster import connect, new_cluster, wait_for_definitions

# A first build installs all dependencies.
pytestmark = pytest.mark.timeout(1500)

AGENT = {"instructions": "You help.", "model": {"provider": "openai", "name": "gpt-x"}}
USERS_IMAGE = "docker.io/library/rojak-with-tools:test"


@pytest.fixture(scope="module")
def builder() -> Iterator[Builder]:
    """With our image built."""
    try:
        builder = find_builder()
        ensure_base(builder)
    except ImageError as reason:
        pytest.skip(f"no image is built: {reason}")
    builder.build(ROOT, NAME)
    yield builder
    builder.remove(USERS_IMAGE)


@asynccontextmanager
async def running(
    builder: Builder, image: str, *arguments: str, environment: Mapping[str, str], mounts: Mapping[Path, str]
) -> AsyncIterator[Worker]:
    """A program of an image, ended at the end of the block."""
    with builder.program(image, *arguments, environment=environment, mounts=mounts) as command:
        process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
        worker = Worker(process)
        try:
            yield worker
        finally:
            if process.returncode is None:
                process.terminate()
                try:
                    await asyncio.wait_for(process.wait(), 20)
                except TimeoutError:
                    process.kill()
            await process.wait()


def test_it_has_no_more_than_it_needs(builder: Builder) -> None:
    assert builder.size(NAME) < 800e6


async def test_tools_are_added_in_two_lines_and_a_worker_serves_them(
    builder: Builder,
    temporal_address: str,
    temporal_client: Client,
    model_server: ModelServer,
    task_queue: str,
    tmp_path: Path,
) -> None:
    wheel = tmp_path / "my_tools-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("my_tools.py", FUNCTIONS)
        info = "my_tools-1.0.dist-info"
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: my-tools\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    (tmp_path / "Dockerfile").write_text(
        f"FROM {NAME}\nCOPY {wheel.name} /tmp/\nRUN pip install --no-index /tmp/{wheel.name}\n"
    )
    builder.build(tmp_path, USERS_IMAGE)

    model_server.otherwise().reply(follow_script)
    agents = [
        agent("triage", model_server.base_url, task_queue, tools=[{"function": {"name": "my_tools:get_weather"}}])
    ]
    mounted = tmp_path / "config"
    mounted.mkdir()
    config = write_config(mounted, configuration(temporal_address, task_queue, agents))
    config.chmod(0o644)
    async with running(
        builder,
        USERS_IMAGE,
        *("worker", "--config", f"/etc/rojak/{config.name}"),
        environment={"OPENAI_API_KEY": "test"},
        mounts={mounted: "/etc/rojak"},
    ) as worker:
        await worker.ready()
        message = {"role": "user", "content": 'call get_weather {"city": "Rome"}\necho'}
        task = TaskParams(agent=AgentRef("triage"), messages=[message])
        response = await Rojak(temporal_client, task_queue=f"{task_queue}.triage").run(id=task_queue, task=task)
        assert isinstance(response.result, OrchestratorResponse)
        assert response.result.messages[-1].text.endswith("sunny in Rome")
        worker.process.terminate()
        assert await worker.end() == 0, worker.log
        assert "Read-only" not in worker.log


def write_login(server: KubernetesServer, folder: Path) -> None:
    """A kubeconfig with its certificate beside it: nothing else of this machine is to be seen from the image."""
    kubeconfig = json.loads(server.kubeconfig_for(*OPERATOR_ACCOUNT).read_text())
    (folder / "ca.crt").write_bytes(server.ca_file.read_bytes())
    kubeconfig["clusters"][0]["cluster"]["certificate-authority"] = "/etc/login/ca.crt"
    (folder / "kubeconfig").write_text(json.dumps(kubeconfig))
    for path in folder.iterdir():
        path.chmod(0o644)


async def test_the_operator_works_in_it(
    builder: Builder, own_cluster: KubernetesServer, temporal_address: str, tmp_path: Path
) -> None:
    find_helm().for_cluster(own_cluster.kubeconfig)(
        *("upgrade", "--install", "rojak", str(CHART), "--namespace", OPERATOR_ACCOUNT[0], "--create-namespace"),
        *("--set", "image.repository=rojak", "--set", f"temporal.address={temporal_address}"),
    )
    wait_for_definitions(own_cluster)
    mounted = tmp_path / "login"
    mounted.mkdir()
    write_login(own_cluster, mounted)
    environment = {
        "KUBECONFIG": "/etc/login/kubeconfig",
        "ROJAK_OPERATOR_PORT": "0",
        "TEMPORAL_ADDRESS": temporal_address,
    }
    async with (
        await connect(own_cluster) as kube,
        running(builder, NAME, "operator", environment=environment, mounts={mounted: "/etc/login"}) as operator,
    ):
        namespace = await new_cluster(kube)
        await namespace.apply("Agent", "triage", AGENT)
        await namespace.until_condition("Agent", "triage", "Programmed", "True")
        operator.process.terminate()
        assert await operator.end() == 0, operator.log
        assert "Read-only" not in operator.log


async def test_nothing_can_be_written_but_tmp(builder: Builder) -> None:
    """Said of how the tests above run it: else they would prove nothing."""
    arguments = ("init", "/opt/rojak/here")
    async with running(builder, NAME, *arguments, environment={}, mounts={}) as refused:
        assert await refused.end() != 0
    assert "Read-only file system" in refused.log or "read-only" in refused.log.lower(), refused.log
    async with running(builder, NAME, "init", "/tmp/here", environment={}, mounts={}) as allowed:
        assert await allowed.end() == 0, allowed.log
