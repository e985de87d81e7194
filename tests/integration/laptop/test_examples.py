"""The examples that exist as files answer, without a key."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from temporalio.client import Client

from tests.integration.cli.commands import rojak
from tests.integration.laptop.dev_process import ROOT, DevProcess

EXAMPLES = ROOT / "examples"


@pytest.mark.timeout(180)
async def test_each_answers_and_a_program_that_is_an_mcp_server_is_run_and_ended(
    temporal_address: str, temporal_client: Client, task_queue: str
) -> None:
    await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "examples.knowledge.library"], cwd=ROOT, check=True, timeout=60
    )
    folders = [
        part for name in ("weather", "mcp_weather", "knowledge") for part in ("-f", EXAMPLES / name / "manifests")
    ]
    with DevProcess(*folders, "-n", task_queue, "--address", temporal_address) as dev:
        await asyncio.to_thread(dev.wait_for, "ready: rojak chat")
        for agent, question, answer in (
            ("weather", "What is the weather in Paris?", "It is 19 °C, sunny."),
            ("forecaster", "What is the weather like in Oslo?", "It is 4 °C and snowy in Oslo."),
            ("guide", "May I bring my dog to the Larch Hut?", "Dogs are welcome in the Larch Hut"),
        ):
            outcome = await rojak(temporal_address, "run", agent, question, "-n", task_queue)
            assert answer in outcome.stdout, f"{outcome}\n{dev.text}"
        dev.wait_for("MCP server .*/weather: up, with 1 tool", again=True)
        assert any("mcp_weather_server.py" in " ".join(child.cmdline()) for child in dev.family())
        assert dev.interrupt() == 0
        assert dev.family() == []
