"""MCP servers: asked for their tools away from everything else, run where they are ours to run."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from rojak.dev.process import ChildProcess
from tests.operator.cluster import Cluster, condition
from tests.operator.gate import make_certificate


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def listening(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


@pytest.fixture
async def weather(tmp_path: Path) -> AsyncIterator[str]:
    """Address of an MCP server."""
    port = free_port()
    process = ChildProcess([sys.executable, "-m", "tests.operator.mcp_program", str(port)], tmp_path / "mcp.log")
    try:
        await listening(port)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.stop()


@pytest.fixture
async def silent() -> AsyncIterator[str]:
    """Address of a server that takes connections and never answers."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
        finally:
            writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"
    finally:
        server.close()


def remote(url: str, **more: Any) -> dict[str, Any]:
    return {"remote": {"url": url}, "discovery": {"timeout": "3s", "interval": "2s"}, **more}


async def test_its_tools_and_their_hints_are_in_the_status(cluster: Cluster, weather: str) -> None:
    await cluster.apply("MCPServer", "weather", remote(weather))
    server = await cluster.until_condition("MCPServer", "weather", "Reachable", "True")
    status = server["status"]
    assert (status["toolCount"], status["stale"], status["server"]["name"]) == (2, False, "weather")
    assert status["tools"] == [
        {"name": "forecast", "description": "Tells the weather.", "hints": {"readOnly": True}},
        {"name": "reset", "description": "Forgets everything.", "hints": {"destructive": True}},
    ]
    await cluster.until_condition("MCPServer", "weather", "Ready", "True")
    await cluster.apply("MCPServer", "weather", remote(weather, tools={"exclude": ["re*"]}))
    await cluster.until("MCPServer", "weather", lambda obj: obj["status"].get("toolCount") == 1)


async def test_a_server_that_is_down_or_silent_keeps_nobody_waiting(
    cluster: Cluster, weather: str, silent: str
) -> None:
    for number in range(12):
        await cluster.apply("MCPServer", f"silent-{number}", remote(silent))
    await cluster.apply("MCPServer", "down", remote(f"http://127.0.0.1:{free_port()}/mcp"))
    agent = {"instructions": "x", "model": {"provider": "openai", "name": "m"}}
    tool = {"mcp": {"serverRef": {"name": "silent-0"}}}
    await cluster.apply("Agent", "triage", agent | {"tools": [tool]})
    await cluster.until_condition("Agent", "triage", "Programmed", "True")
    await cluster.finish_rollout("triage-agent")
    await cluster.until_condition("MCPServer", "silent-0", "Reachable", "False", "DiscoveryTimedOut")
    await cluster.until_condition("MCPServer", "down", "Reachable", "False", "DiscoveryFailed")
    # The agent does not care: a broken server is an error of a tool.
    await cluster.until_condition("Agent", "triage", "Ready", "True")


async def test_a_certificate_that_is_not_trusted_is_said_with_the_remedy(cluster: Cluster, tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path, "IP:127.0.0.1")
    port = free_port()
    command = [sys.executable, "-m", "tests.operator.mcp_program", str(port), str(cert), str(key)]
    process = ChildProcess(command, tmp_path / "mcp.log")
    url = f"https://127.0.0.1:{port}/mcp"

    async def until_told(*words: str) -> None:
        def tells(obj: Mapping[str, Any]) -> bool:
            found = condition(obj, "Reachable")
            return found.get("reason") == "DiscoveryFailed" and all(word in found["message"] for word in words)

        await cluster.until("MCPServer", "safe", tells)

    def trusting(**reference: dict[str, str]) -> dict[str, Any]:
        return remote(url) | {"remote": {"url": url, "tls": {"caCert": reference}}}

    try:
        await listening(port)
        await cluster.apply("MCPServer", "safe", remote(url))
        await until_told("not trusted (self-signed certificate)", "spec.remote.tls.caCert", "configMapKeyRef")

        await cluster.apply("ConfigMap", "authority", data={"ca.crt": "no certificate"})
        await cluster.apply("MCPServer", "safe", trusting(configMapKeyRef={"name": "authority", "key": "ca.crt"}))
        await until_told("what spec.remote.tls.caCert refers to holds no certificate in PEM")

        other = tmp_path / "other"
        other.mkdir()
        await cluster.apply("ConfigMap", "authority", data={"ca.crt": make_certificate(other, "DNS:x")[0].read_text()})
        await until_told("not trusted", "spec.remote.tls.caCert is not the authority that signed it")

        # The address is not in the certificate, though the authority is trusted.
        await cluster.apply("ConfigMap", "authority", data={"ca.crt": cert.read_text()})
        wrong = trusting(configMapKeyRef={"name": "authority", "key": "ca.crt"})
        wrong["remote"]["url"] = f"https://localhost:{port}/mcp"
        await cluster.apply("MCPServer", "safe", wrong)
        await until_told("has another name", "spec.remote.url")

        await cluster.apply("MCPServer", "safe", trusting(configMapKeyRef={"name": "authority", "key": "ca.crt"}))
        await cluster.until_condition("MCPServer", "safe", "Reachable", "True")
    finally:
        process.stop()


async def test_https_where_the_server_speaks_http_is_said(cluster: Cluster, weather: str) -> None:
    await cluster.apply("MCPServer", "weather", remote(weather.replace("http://", "https://")))
    await cluster.until(
        "MCPServer", "weather", lambda obj: "does not speak TLS" in condition(obj, "Reachable").get("message", "")
    )


async def test_tools_stay_known_while_the_server_is_gone(cluster: Cluster, tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "tests.operator.mcp_program", str(port)]
    process = ChildProcess(command, tmp_path / "mcp.log")
    try:
        await listening(port)
        await cluster.apply("MCPServer", "weather", remote(f"http://127.0.0.1:{port}/mcp"))
        await cluster.until_condition("MCPServer", "weather", "Reachable", "True")
        process.stop()
        server = await cluster.until_condition("MCPServer", "weather", "Reachable", "False")
        assert (server["status"]["toolCount"], server["status"]["stale"]) == (2, True)
        process = ChildProcess(command, tmp_path / "mcp.log")
        await listening(port)
        server = await cluster.until_condition("MCPServer", "weather", "Reachable", "True")
        assert server["status"]["stale"] is False
    finally:
        process.stop()


async def test_a_managed_server_gets_pods_and_an_address(cluster: Cluster) -> None:
    spec = {"managed": {"command": ["python", "-m", "files"]}, "discovery": {"enabled": False}}
    await cluster.apply("MCPServer", "files", spec)
    server = await cluster.until_condition("MCPServer", "files", "Ready", "False", "RolloutInProgress")
    assert server["status"]["url"] == f"http://files-mcp.{cluster.namespace}.svc:80/mcp"
    assert condition(server, "Reachable")["reason"] == "DiscoveryOff"
    assert await cluster.get("Service", "files-mcp") is not None
    await cluster.finish_rollout("files-mcp")
    await cluster.until_condition("MCPServer", "files", "Ready", "True")


async def test_what_ran_it_goes_when_it_becomes_remote(cluster: Cluster, weather: str) -> None:
    await cluster.apply("MCPServer", "files", {"managed": {"command": ["files"]}})
    await cluster.until_condition("MCPServer", "files", "Programmed", "True")
    await cluster.apply("MCPServer", "files", remote(weather))
    await cluster.until_gone("Deployment", "files-mcp")
    await cluster.until_gone("Service", "files-mcp")
