"""``rojak mcp-bridge``: a server of standard streams over HTTP, as a pod runs it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psutil
import pytest

from mcp import Client
from rojak.dev.process import ChildProcess

pytestmark = pytest.mark.durability

SERVER = """
import os, sys
from mcp.server import MCPServer
server = MCPServer("files")
@server.tool()
def whoami() -> str:
    \"\"\"Tells the process and a variable.\"\"\"
    return f"{os.getpid()} {os.environ.get('TOKEN')}"
@server.tool()
def die() -> str:
    \"\"\"Ends the process.\"\"\"
    os._exit(3)
server.run("stdio")
"""


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[tuple[ChildProcess, str]]:
    """The bridge and its address."""
    program = tmp_path / "server.py"
    program.write_text(SERVER)
    log = tmp_path / "bridge.log"
    options = ["--host", "127.0.0.1", "--port", "0", "--", sys.executable, str(program)]
    command = ["/usr/bin/env", "TOKEN=sesame", sys.executable, "-m", "rojak.cli", "mcp-bridge", *options]
    process = ChildProcess(command, log)
    try:
        async with asyncio.timeout(40):
            while not (found := re.search(r"listens at port (\d+)", log.read_text())):
                assert process.exit_code() is None, log.read_text()
                await asyncio.sleep(0.05)
        yield process, f"http://127.0.0.1:{found[1]}"
    finally:
        await asyncio.to_thread(process.stop)


async def until_ready(url: str) -> None:
    async with asyncio.timeout(40), httpx.AsyncClient() as client:
        while (await client.get(f"{url}/readyz")).status_code != 200:
            await asyncio.sleep(0.05)


async def ask(url: str, tool: str) -> tuple[str, bool]:
    async with Client(f"{url}/mcp") as client:
        result = await client.call_tool(tool)
        return result.content[0].text, result.is_error


async def test_tools_are_listed_and_called_with_the_environment(bridge: tuple[ChildProcess, str]) -> None:
    _, url = bridge
    await until_ready(url)
    async with Client(f"{url}/mcp") as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["whoami", "die"]
    first, second = await asyncio.gather(ask(url, "whoami"), ask(url, "whoami"))
    assert first == second
    assert first[0].endswith("sesame")


async def test_a_child_that_dies_is_started_again(bridge: tuple[ChildProcess, str]) -> None:
    _, url = bridge
    await until_ready(url)
    before = (await ask(url, "whoami"))[0].split()[0]
    text, is_error = await ask(url, "die")
    assert is_error
    assert "lost" in text
    async with asyncio.timeout(40):
        while (answer := await ask(url, "whoami"))[1]:
            await asyncio.sleep(0.1)
    assert answer[0].split()[0] != before


async def test_it_ends_with_its_child(bridge: tuple[ChildProcess, str]) -> None:
    process, url = bridge
    await until_ready(url)
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    os.kill(process.pid, signal.SIGTERM)
    async with asyncio.timeout(30):
        while process.exit_code() is None:
            await asyncio.sleep(0.05)
    assert process.exit_code() == 0
    assert psutil.wait_procs(children, timeout=10)[1] == []


async def test_a_program_that_is_not_there_ends_the_bridge_with_the_reason(tmp_path: Path) -> None:
    log = tmp_path / "bridge.log"
    program = str(tmp_path / "no-such-program")
    process = ChildProcess([sys.executable, "-m", "rojak.cli", "mcp-bridge", "--port", "0", "--", program], log)
    try:
        async with asyncio.timeout(40):
            while process.exit_code() is None:
                await asyncio.sleep(0.05)
        assert process.exit_code() == 1
        assert f"the MCP server's program '{program}' is not there" in log.read_text()
    finally:
        await asyncio.to_thread(process.stop)
