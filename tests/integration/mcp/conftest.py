"""Real MCP servers: child processes, and HTTP servers on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from rojak.agents import OpenAIAgent
from rojak.types import MCPServerConfig
from tests.integration.session.conftest import (  # noqa: F401 - fixtures
    activities,
    model,
    rojak,
    session_id,
)

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = ["-m", "tests.integration.mcp.server_program"]

AGENT = OpenAIAgent(name="M")


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """What the server did, line by line."""
    path = tmp_path / "ledger"
    path.touch()
    return path


@pytest.fixture
def stdio(ledger: Path) -> Callable[..., MCPServerConfig]:
    """Makes the configuration of the test server as a child process."""

    def make(**fields: Any) -> MCPServerConfig:
        env = {"MCP_TEST_LEDGER": str(ledger), **fields.pop("env", {})}
        options = {"type": "stdio", "command": sys.executable, "args": [*PROGRAM, "stdio"], "cwd": str(ROOT)}
        return MCPServerConfig(**{**options, "env": env, **fields})

    return make


def bad(behaviour: str, **fields: Any) -> MCPServerConfig:
    """The configuration of a server that behaves badly."""
    args = ["-m", "tests.integration.mcp.bad_server", behaviour]
    return MCPServerConfig(**{"type": "stdio", "command": sys.executable, "args": args, "cwd": str(ROOT), **fields})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def http_server(kind: str, port: int, *args: str, **env: str) -> AsyncIterator[psutil.Process]:
    """The test server over HTTP, as a process that is ended at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *PROGRAM, kind, str(port), *args, cwd=ROOT, env={**os.environ, **env}
    )
    try:
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                await asyncio.sleep(0.05)
        yield psutil.Process(process.pid)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def descendants() -> set[int]:
    """The live processes that this one has started, directly or not."""
    alive = set()
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if child.status() != psutil.STATUS_ZOMBIE:
                alive.add(child.pid)
    return alive


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def lines(ledger: Path) -> list[str]:
    """What is in the ledger."""
    return ledger.read_text().splitlines()
