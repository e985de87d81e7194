"""A managed MCP server that listens at a port: `rojak dev` starts it, and starts it again when it ends or changes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys

import pytest
from temporalio.client import Client

from tests.integration.laptop.dev_process import DevProcess
from tests.integration.laptop.project import Project, Talk
from tests.integration.mcp.conftest import PROGRAM, free_port

SERVER = """
apiVersion: rojak.dev/v1alpha1
kind: MCPServer
metadata: {name: numbers}
spec:
  managed:
    command: %(command)s
    transport: StreamableHTTP
    port: %(port)s
    env: [{name: MCP_TEST_TOOLS, value: "pid,environment"}, {name: COLOUR, value: %(colour)s}]
"""
AGENT = """
apiVersion: rojak.dev/v1alpha1
kind: Agent
metadata: {name: one}
spec:
  instructions: Say who serves.
  model: {provider: openai, name: gpt-5-mini, apiKey: {secretKeyRef: {name: openai, key: api-key}}}
  tools: [{mcp: {serverRef: {name: numbers}}}]
"""
#: Says which process served the call, or what it was told to find out.
SCRIPT = """
from rojak.testing import Reply, call

def write_script(model):
    def answer(conversation):
        if conversation.last.role == "tool":
            return Reply(conversation.last.text)
        asked = conversation.last.text
        return Reply(tool_calls=[call("pid") if asked == "pid" else call("environment", name=asked)])
    model.otherwise().reply(answer)
"""


@pytest.fixture
def port() -> int:
    """Where the server listens."""
    return free_port()


@pytest.fixture
def project(project: Project, port: int) -> Project:
    """An agent with the tools of a server."""
    for name in ("two.yaml", "schedule.yaml", "tools.py"):
        (project.folder / name).unlink()
    project.write("one.yaml", AGENT)
    project.write("server.yaml", server(port, "red"))
    project.write("model_script.py", SCRIPT)
    return project


def server(port: int, colour: str) -> str:
    """The manifest of the server."""
    command = json.dumps([sys.executable, *PROGRAM, "streamable-http", str(port)])
    return SERVER % {"command": command, "port": port, "colour": colour}


def listening(dev: DevProcess) -> int:
    """The process that listens, once it does."""
    return int(dev.wait_for(r"numbers: process (\d+) listens at http://127.0.0.1:\d+/mcp")[1])


@pytest.mark.timeout(240)
async def test_it_is_started_and_started_again_and_ends_with_the_rest(
    project: Project, port: int, temporal_address: str, temporal_client: Client
) -> None:
    with DevProcess("-f", project.folder, "-n", project.namespace, "--address", temporal_address) as dev:
        first = await asyncio.to_thread(listening, dev)
        await asyncio.to_thread(dev.wait_for, "MCP server .*/numbers: up, with 2 tools", again=True)
        talk = Talk(temporal_client, project, "one")
        assert await talk.say("pid") == str(first)
        assert await talk.say("COLOUR") == "red"
        dev.family()

        os.kill(first, signal.SIGKILL)
        await asyncio.to_thread(dev.wait_for, "numbers exited with -9; see .*; another one starts in")
        second = await asyncio.to_thread(listening, dev)
        assert second != first
        assert await talk.say("pid") == str(second)
        assert dev.process.poll() is None

        # A change of the manifest is another process; the worker's connection goes on with it.
        project.write("server.yaml", server(port, "blue"))
        third = await asyncio.to_thread(listening, dev)
        assert third not in (first, second)
        await asyncio.to_thread(dev.wait_for, "took over from")
        assert await talk.say("COLOUR") == "blue"

        assert await asyncio.to_thread(dev.interrupt) == 0
        assert dev.family() == []


@pytest.mark.durability
@pytest.mark.timeout(240)
async def test_a_kill_ends_it_and_the_next_start_finds_its_port_and_leaves_no_folder(
    project: Project, temporal_address: str, temporal_client: Client, tmp_path_factory: pytest.TempPathFactory
) -> None:
    temporary = tmp_path_factory.mktemp("temporary")
    arguments = ("-f", project.folder, "-n", project.namespace, "--address", temporal_address)
    with DevProcess(*arguments, TMPDIR=str(temporary)) as dev:
        first = await asyncio.to_thread(listening, dev)
        await asyncio.to_thread(dev.wait_for, "ready: rojak chat one", again=True)
        left = {folder.name for folder in temporary.iterdir()}
        assert left
        dev.family()
        dev.process.kill()
        with DevProcess(*arguments, TMPDIR=str(temporary)) as again:
            await asyncio.to_thread(again.wait_for, "ready: rojak chat one")
            assert not left & {folder.name for folder in temporary.iterdir()}
            talk = Talk(temporal_client, project, "one")
            served_by = await _until_other(talk, str(first))
            assert served_by in {str(child.pid) for child in again.family()}
            assert await asyncio.to_thread(again.interrupt) == 0
        assert list(temporary.iterdir()) == []


async def _until_other(talk: Talk, pid: str) -> str:
    """The process that serves once the one before has let go of the port."""
    async with asyncio.timeout(60):
        while not (said := await talk.say("pid")).isdigit() or said == pid:
            await asyncio.sleep(0.1)
    return said


@pytest.mark.timeout(180)
async def test_a_port_that_somebody_has_is_named_and_waited_for(
    project: Project, port: int, temporal_address: str, temporal_client: Client
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    other = await asyncio.start_server(serve, "127.0.0.1", port)
    with DevProcess("-f", project.folder, "-n", project.namespace, "--address", temporal_address) as dev:
        await asyncio.to_thread(dev.wait_for, f"numbers waits: port {port} is taken by another program; end it")
        assert "listens at" not in dev.text
        other.close()
        first = await asyncio.to_thread(listening, dev)
        await asyncio.to_thread(dev.wait_for, "MCP server .*/numbers: up, with 2 tools", again=True)
        assert await Talk(temporal_client, project, "one").say("pid") == str(first)


@pytest.mark.timeout(120)
def test_a_program_that_ends_by_itself_is_shown_with_its_last_words(
    project: Project, port: int, temporal_address: str
) -> None:
    program = "import sys; sys.exit('the cable is cut')"
    text = server(port, "red").replace(json.dumps([sys.executable, *PROGRAM, "streamable-http", str(port)]), "[%s]")
    project.write("server.yaml", text % ", ".join(map(json.dumps, [sys.executable, "-c", program])))
    with DevProcess("-f", project.folder, "-n", project.namespace, "--address", temporal_address) as dev:
        dev.wait_for(r"numbers exited with 1 \(the cable is cut\); see .*; another one starts in")
