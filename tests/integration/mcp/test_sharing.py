"""All agents of a process share one connection to a server, and each has the tools that it takes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from temporalio.client import Client

from rojak import Rojak
from rojak.agents import AgentTool, OpenAIAgent, OpenAIAgentActivities
from rojak.testing import ModelServer
from rojak.types import MCPServerConfig
from rojak.worker import RojakWorker
from tests.integration.hosting.test_worker_process import task as named_task
from tests.integration.hosting.worker_processes import agent, configuration, started
from tests.integration.mcp.conftest import AGENT, PROGRAM, ROOT, descendants, free_port, http_server, is_alive, lines
from tests.integration.session.conftest import answer, task

pytestmark = [pytest.mark.durability, pytest.mark.timeout(120)]

Make = Callable[..., MCPServerConfig]

READER = OpenAIAgent(name="Reader", mcp_servers=["read"])
WRITER = OpenAIAgent(name="Writer", mcp_servers=["write"])
READS = {"include": ["get_weather", "pid"]}
WRITES = {"include": ["delete_*", "pid", "wait"], "prefix": "w_"}


@asynccontextmanager
async def a_server(kind: str, stdio: Make, ledger: Path) -> AsyncIterator[Make]:
    """Makes configurations that reach the same server."""
    if kind == "stdio":
        yield stdio
        return
    port = free_port()

    def make(**fields: Any) -> MCPServerConfig:
        return MCPServerConfig(type="streamable-http", url=f"http://127.0.0.1:{port}/mcp", **fields)

    async with http_server("counted", port, MCP_TEST_LEDGER=str(ledger)):
        yield make


def openings(ledger: Path) -> int:
    """How often somebody connected over HTTP."""
    return sum(line in ("http server/discover", "http initialize") for line in lines(ledger))


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def until_up(worker: RojakWorker) -> None:
    """Wait until the tools of all servers are known: a turn does so for some seconds only."""
    await until(lambda: all(seen["problem"] is None and seen["tools"] for seen in worker.look_at_mcp().values()))


def offered(model: ModelServer) -> list[str]:
    """The tools of the last request."""
    return sorted(model.requests[-1].conversation.tools)


@pytest.mark.parametrize("kind", ["stdio", "streamable-http"])
async def test_agents_of_one_worker_have_their_own_tools_over_one_connection(
    kind: str,
    rojak: Rojak,
    activities: OpenAIAgentActivities,
    model: ModelServer,
    session_id: str,
    stdio: Make,
    ledger: Path,
) -> None:
    async with a_server(kind, stdio, ledger) as make:
        before = descendants()
        async with rojak.create_worker([activities], mcp_servers={"read": make(**READS)}) as worker:
            await until_up(worker)
            await rojak.run(id=f"{session_id}-alone", task=task("call pid", agent=READER))
        alone = openings(ledger)
        servers = {"read": make(**READS), "write": make(**WRITES)}
        async with rojak.create_worker([activities], mcp_servers=servers) as worker:
            await until_up(worker)
            response = await rojak.run(id=f"{session_id}-read", task=task("call pid", "echo", agent=READER))
            assert offered(model) == ["get_weather", "pid"]
            pid = int(answer(response.result))
            response = await rojak.run(id=f"{session_id}-write", task=task("call w_pid", "echo", agent=WRITER))
            assert offered(model) == ["w_delete_everything", "w_pid", "w_wait"]
            assert int(answer(response.result)) == pid
            if kind == "stdio":
                assert descendants() - before == {pid}
            else:
                assert openings(ledger) == 2 * alone > 0
            # One that works for another is no other user of the server.
            boss = OpenAIAgent(name="Boss", mcp_servers=["read"], tools=[AgentTool(WRITER, "Writes")])
            script = task('call pid; writer {"message": "call w_pid\\necho"}', "echo", agent=boss)
            response = await rojak.run(id=f"{session_id}-boss", task=script)
            assert [*map(int, answer(response.result).split(" | "))] == [pid, pid]
        assert descendants() == before


@asynccontextmanager
async def two_workers(
    client: Client, activities: OpenAIAgentActivities, read: MCPServerConfig, write: MCPServerConfig
) -> AsyncIterator[tuple[Rojak, Rojak, list[RojakWorker]]]:
    """Workers of two task queues. A test may end the second one."""
    queue = f"q-{os.urandom(4).hex()}"
    first, second = Rojak(client, f"{queue}-1"), Rojak(client, f"{queue}-2")
    async with first.create_worker([activities], mcp_servers={"read": read}) as one:
        other = second.create_worker([activities], mcp_servers={"write": write})
        await other.__aenter__()
        try:
            await until_up(one)
            await until_up(other)
            yield first, second, [one, other]
        finally:
            await other.__aexit__(None, None, None)


async def pid_of(rojak: Rojak, session_id: str, by: OpenAIAgent) -> int:
    name = "pid" if by is READER else "w_pid"
    response = await rojak.run(id=session_id, task=task(f"call {name}", "echo", agent=by))
    return int(answer(response.result))


@pytest.mark.parametrize("kind", ["stdio", "streamable-http"])
async def test_a_worker_that_ends_leaves_the_connection_to_the_others(
    kind: str, temporal_client: Client, activities: OpenAIAgentActivities, session_id: str, stdio: Make, ledger: Path
) -> None:
    async with a_server(kind, stdio, ledger) as make:
        before = descendants()
        async with two_workers(temporal_client, activities, make(**READS), make(**WRITES)) as (first, second, workers):
            pid = await pid_of(first, f"{session_id}-1", READER)
            assert await pid_of(second, f"{session_id}-2", WRITER) == pid
            opened = openings(ledger)
            running = descendants()
            await workers[1].__aexit__(None, None, None)
            assert descendants() == running
            assert await pid_of(first, f"{session_id}-3", READER) == pid
            # Who comes later joins.
            async with second.create_worker([activities], mcp_servers={"write": make(**WRITES)}) as again:
                await until_up(again)
                assert await pid_of(second, f"{session_id}-4", WRITER) == pid
                assert descendants() == running
            assert openings(ledger) == opened
        assert descendants() == before


async def test_a_child_that_is_killed_comes_back_for_all(
    temporal_client: Client, activities: OpenAIAgentActivities, session_id: str, stdio: Make, ledger: Path
) -> None:
    before = descendants()
    async with two_workers(temporal_client, activities, stdio(**READS), stdio(**WRITES)) as (first, second, workers):
        call = asyncio.create_task(
            second.run(id=f"{session_id}-0", task=task('call w_wait {"seconds": 60}', "echo", agent=WRITER))
        )
        await until(lambda: bool(lines(ledger)))
        pid = int(lines(ledger)[0].split()[0])
        os.kill(pid, signal.SIGKILL)
        assert "was lost in the call of wait" in answer((await call).result)
        # Another one is there, and has told its tools.
        await until(lambda: bool(descendants() - before - {pid}))
        for worker in workers:
            await until_up(worker)
        again = await pid_of(first, f"{session_id}-1", READER)
        assert await pid_of(second, f"{session_id}-2", WRITER) == again != pid
        assert descendants() - before == {again}
    assert descendants() == before


async def test_cleanup_of_one_ends_its_calls_and_leaves_the_others_alone(
    temporal_client: Client, activities: OpenAIAgentActivities, session_id: str, stdio: Make, ledger: Path
) -> None:
    async with two_workers(temporal_client, activities, stdio(**READS), stdio(**WRITES)) as (first, second, _):
        call = asyncio.create_task(
            second.run(id=f"{session_id}-0", task=task('call w_wait {"seconds": 60}; w_pid', "echo", agent=WRITER))
        )
        await until(lambda: bool(lines(ledger)))
        await second.cleanup_mcp()
        await second.cleanup_mcp()
        assert "was lost in the call of wait" in answer((await call).result)
        # The server was told that nobody waits any more.
        await until(lambda: any("cancelled" in line for line in lines(ledger)))
        response = await second.run(id=f"{session_id}-1", task=task("call w_pid", "echo", agent=WRITER))
        assert answer(response.result).startswith("Error: The MCP server 'write' is down.")
        pid = int(lines(ledger)[0].split()[0])
        assert await pid_of(first, f"{session_id}-2", READER) == pid
    assert not is_alive(pid)


async def test_what_is_said_to_a_server_is_not_shared(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str, stdio: Make
) -> None:
    servers = {name: stdio(env={"WHO": name}, prefix=f"{name}_") for name in ("a", "b")}
    async with rojak.create_worker([activities], mcp_servers=servers) as worker:
        await until_up(worker)
        script = 'call a_environment {"name": "WHO"}; b_environment {"name": "WHO"}; a_pid; b_pid'
        response = await rojak.run(id=session_id, task=task(script, "echo", agent=AGENT))
        one, two, first_pid, second_pid = answer(response.result).split(" | ")
        assert (one, two) == ("a", "b")
        assert first_pid != second_pid


@asynccontextmanager
async def relay(port: int, to: int) -> AsyncIterator[None]:
    """A server that is there at once: connections to the one port go to the other."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", to)
        await asyncio.gather(pump(reader, ours), pump(theirs, writer))

    server = await asyncio.start_server(connect, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()


async def test_who_joins_a_server_that_is_down_has_it_tried_at_once(
    temporal_client: Client,
    rojak: Rojak,
    activities: OpenAIAgentActivities,
    ledger: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    port, behind = free_port(), free_port()
    config = MCPServerConfig(type="streamable-http", url=f"http://127.0.0.1:{port}/mcp")
    async with (
        http_server("counted", behind, MCP_TEST_LEDGER=str(ledger)),
        rojak.create_worker([activities], mcp_servers={"late": config}) as first,
    ):
        pauses = re.compile(r"next attempt in (\d+)\.")
        await until(lambda: any(int(pause) >= 12 for pause in pauses.findall(caplog.text)), seconds=60)
        pause = int(pauses.findall(caplog.text)[-1])
        began = time.monotonic()
        other = Rojak(temporal_client, f"{rojak.task_queue}-2")
        async with (
            relay(port, behind),
            other.create_worker([activities], mcp_servers={"joins": config}) as second,
        ):
            await until_up(second)
            assert time.monotonic() - began < pause
            assert second.look_at_mcp()["joins"]["tools"] == first.look_at_mcp()["late"]["tools"] > 0


async def test_the_agents_of_a_pool_share_one_child(
    temporal_address: str, temporal_client: Client, task_queue: str, model: ModelServer, tmp_path: Path, ledger: Path
) -> None:
    server = {
        "name": "home",
        "command": [sys.executable, *PROGRAM, "stdio"],
        "env": [{"name": "PYTHONPATH", "value": str(ROOT)}],
    }

    def uses(**fields: Any) -> dict[str, Any]:
        return {"mcp": {"serverRef": {"name": "home"}, **fields}}

    agents = [
        agent("a", model.base_url, task_queue, tools=[uses(**READS), uses(include=["wait"], prefix="again_")]),
        agent("b", model.base_url, task_queue, tools=[uses(**WRITES)]),
    ]
    config = configuration(temporal_address, task_queue, agents, mcpServers=[server])
    async with started(tmp_path, config) as worker:
        await worker.ready()
        await worker.connected("home")
        pids = []
        for name, tools in (
            ("a", ["again_wait", "get_weather", "pid"]),
            ("b", ["w_delete_everything", "w_pid", "w_wait"]),
        ):
            rojak = Rojak(temporal_client, f"{task_queue}.{name}")
            call = "call pid" if name == "a" else "call w_pid"
            response = await rojak.run(id=f"{task_queue}-{name}", task=named_task(name, call, "echo"))
            pids.append(int(answer(response.result)))
            assert offered(model) == tools
        children = [child.pid for child in psutil.Process(worker.process.pid).children(recursive=True)]
        assert children == [pids[0]]
        assert pids[0] == pids[1]
        worker.process.terminate()
        assert await worker.end() == 0, worker.log
        assert not is_alive(pids[0])
