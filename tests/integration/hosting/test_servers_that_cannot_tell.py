"""Which agents there are is asked of the server; one that cannot tell is named, with its version and what it takes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from rojak.client import describe_agent, list_agents
from rojak.dev.binary import find_binary
from rojak.dev.process import ChildProcess
from rojak.types.errors import RojakError
from tests.integration.cli.commands import rojak

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Client]:
    """A client of a server with this setting."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [find_binary(), "server", "start-dev", "--ip", "127.0.0.1", "--port", address.split(":")[1], "--headless"]
    child = ChildProcess([*command, "--dynamic-config-value", request.param], tmp_path / "log")
    try:
        async with asyncio.timeout(60):
            while True:
                try:
                    client = await Client.connect(address)
                    await client.count_workflows()
                    break
                except RuntimeError:
                    await asyncio.sleep(0.1)
        yield client
    finally:
        await asyncio.to_thread(child.stop)


async def listed(client: Client) -> Any:
    return await list_agents(client)


async def described(client: Client) -> Any:
    return await describe_agent(client, "shop.triage", "triage")


@pytest.mark.parametrize(
    ("server", "ask", "why"),
    [
        ("frontend.WorkerHeartbeatsEnabled=false", listed, r"tell which workers there are \(it keeps no heartbeats"),
        ("activity.enableStandalone=false", described, r"run activities without a workflow \(Standalone activity is"),
    ],
    indirect=["server"],
)
async def test_it_is_named_with_its_version_what_it_takes_and_what_works_without(
    server: Client, ask: Callable[[Client], Awaitable[Any]], why: str
) -> None:
    with pytest.raises(RojakError, match=rf"this Temporal server \(\d+\.\d+\.\d+\S*\) cannot {why}") as raised:
        await ask(server)
    assert "that takes server 1.32 or later" in str(raised.value)
    assert "rojak chat NAME" in str(raised.value)


@pytest.mark.parametrize("server", ["frontend.WorkerHeartbeatsEnabled=false"], indirect=True)
async def test_the_command_says_so_in_one_line(server: Client) -> None:
    outcome = await rojak(server.service_client.config.target_host, "agents", "list")
    assert (outcome.code, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("error: this Temporal server (")
    assert outcome.stderr.count("\n") == 1


async def test_a_server_that_can_tell_has_none_where_there_are_none(temporal_address: str) -> None:
    client = await Client.connect(temporal_address)
    assert all(agent.task_queue != "nowhere.nobody" for agent in await list_agents(client))
