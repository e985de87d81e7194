"""The Temporal in one pod: what its container is told is what the program understands."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from temporalio.client import Client

from dev.helm import CHART, Helm
from dev.helm.chart import render
from rojak.dev.process import ChildProcess
from tests.operator.test_mcp_servers import free_port

pytestmark = pytest.mark.timeout(120)


async def test_it_starts_as_the_chart_says_and_its_probe_is_answered(helm: Helm, tmp_path: Path) -> None:
    objects = render(helm, CHART / "ci/dev-values.yaml", settings=["temporal.namespace=agents"])
    pods = [obj["spec"]["template"]["spec"] for obj in objects if obj["kind"] == "Deployment"]
    (container,) = [c for pod in pods for c in pod["containers"] if c["name"] == "temporal"]
    port, ui_port = free_port(), free_port()
    here = {"0.0.0.0": "127.0.0.1", "7233": str(port), "8233": str(ui_port), "/data": str(tmp_path)}
    arguments = []
    for argument in container["args"]:
        name, _, value = argument.partition("=")
        for there, instead in here.items():
            value = value.replace(there, instead)
        arguments.append(f"{name}={value}" if value else name)
    log = tmp_path / "temporal.log"
    (program,) = container["command"]
    process = ChildProcess([str(Path(sys.executable).parent / program), *arguments], log)
    try:
        async with asyncio.timeout(60):
            while True:
                try:
                    client = await Client.connect(f"127.0.0.1:{port}", namespace="agents")
                    await client.count_workflows()
                    break
                except Exception:  # noqa: BLE001  # it starts
                    assert process.exit_code() is None, log.read_text()
                    await asyncio.sleep(0.2)
        service = container["readinessProbe"]["grpc"]["service"]
        assert await client.service_client.check_health(service=service)
    finally:
        process.stop()
