"""What is left of MCP servers' processes when a worker stops, or dies: nothing."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from rojak import Rojak
from rojak.agents import OpenAIAgentActivities
from rojak.testing import ModelServer
from rojak.types import MCPServerConfig
from tests.integration.mcp.conftest import AGENT, ROOT, bad, descendants, is_alive, lines
from tests.integration.session.conftest import answer, task

pytestmark = [pytest.mark.durability, pytest.mark.timeout(120)]

Stdio = Callable[..., MCPServerConfig]


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def test_a_worker_takes_its_servers_and_their_children_along(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str, stdio: Stdio
) -> None:
    before = descendants()
    worker = rojak.create_worker([activities], mcp_servers={"test": stdio(), "hangs": bad("hangs", timeout=60)})
    async with worker:
        response = await rojak.run(id=session_id, task=task("call spawn; pid", "echo", agent=AGENT))
        child, server = map(int, answer(response.result).split(" | "))
        assert is_alive(child)
        assert is_alive(server)
    assert descendants() == before
    assert not is_alive(child)
    # It can be run again.
    async with worker:
        response = await rojak.run(id=f"{session_id}-again", task=task("call pid", "echo", agent=AGENT))
        assert answer(response.result) != str(server)
    await rojak.cleanup_mcp()
    assert descendants() == before


async def test_a_worker_that_stops_in_a_call(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str, stdio: Stdio, ledger: Path
) -> None:
    before = descendants()
    options = {"mcp_servers": {"test": stdio()}}
    async with rojak.create_worker([activities], **options):
        script = task('call wait {"seconds": 8, "word": "late"}', "echo", agent=AGENT)
        run = asyncio.create_task(rojak.run(id=session_id, task=script))
        await until(lambda: bool(lines(ledger)))
    assert descendants() == before
    async with rojak.create_worker([activities], **options):
        assert answer((await run).result)
    assert descendants() == before


async def test_cleanup_while_the_worker_runs(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str, stdio: Stdio
) -> None:
    before = descendants()
    async with rojak.create_worker([activities], mcp_servers={"test": stdio()}):
        await rojak.run(id=session_id, task=task("call pid", agent=AGENT))
        await rojak.cleanup_mcp()
        await rojak.cleanup_mcp()
        assert descendants() == before
        response = await rojak.run(id=f"{session_id}-after", task=task("call pid", "echo", agent=AGENT))
        assert answer(response.result) == (
            "Error: The MCP server 'test' is down. Its tools cannot be used at the moment."
        )


@asynccontextmanager
async def worker_process(*arguments: str, ledger: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.mcp.worker_process",
        *arguments,
        cwd=ROOT,
        env={**os.environ, "MCP_TEST_LEDGER": str(ledger)},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            assert await process.stdout.readline() == b"polling\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_worker_that_is_killed_in_a_call(
    temporal_address: str, rojak: Rojak, model: ModelServer, session_id: str, ledger: Path
) -> None:
    where = (temporal_address, rojak.task_queue, model.base_url)
    async with worker_process(*where, ledger=ledger) as first:
        script = task('call wait {"seconds": 3, "word": "kept"}; key', "echo", agent=AGENT)
        run = asyncio.create_task(rojak.run(id=session_id, task=script))
        await until(lambda: bool(lines(ledger)))
        server = int(lines(ledger)[0].split()[0])
        first.kill()
        # The server reads the end of its input.
        await until(lambda: not is_alive(server))
        async with worker_process(*where, ledger=ledger) as second:
            kept, key = answer((await run).result).split(" | ")
            assert kept == "kept"
            assert key.startswith(f"{session_id}/1/")
            last = int(lines(ledger)[-1].split()[0])
            assert is_alive(last)
            second.terminate()
            await second.wait()
            assert not is_alive(last)
