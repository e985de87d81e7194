"""Every program in the README of version 1 runs unchanged, against the scripted model.

`version_1_readme.txt` is that README; it is text to the linters, which would mend it. What its snippets leave to the
reader (a connected client, names that an earlier snippet imported) is given to them, and the address of the Temporal
server is the only text that is replaced.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import json
import os
import re
import subprocess
import sys
import textwrap
import uuid
from pathlib import Path
from typing import Any

import psutil
import pytest
from temporalio.client import Client

import rojak
import rojak.agents
import rojak.types
import rojak.workflows
from rojak import OrchestratorResponse, ResumeRequest, Rojak, TaskParams
from rojak.agents import OpenAIAgent, OpenAIAgentActivities, OpenAIAgentOptions
from rojak.testing import ModelServer, call
from rojak.utils import function_to_json

README = (Path(__file__).parent / "version_1_readme.txt").read_text()
EXAMPLE = Path(__file__).parents[3] / "examples/mcp_weather"
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)

#: What tells each snippet from the others, in the README's order.
MARKS = {
    "usage": "# main.py",
    "client": "from temporalio.client import Client\nfrom rojak import Rojak\n\ntemporal_client",
    "worker": "await worker.run()",
    "instructions": "agent = OpenAIAgent(\n   instructions=",
    "instructions function": "def instructions_fn",
    "functions": "def greet(context_variables, language)",
    "hand-off": "def transfer_to_sales",
    "everything at once": "def talk_to_sales",
    "schema": "def greet(name, age: int",
    "retriever": "QdrantRetriever()",
    "retries": "RetryOptions(",
    "schedule": "create_schedule",
    "scheduled runs": "list_scheduled_runs",
    "interrupt": "Interrupt(",
    "resume": 'action="approve"',
    "reject": 'action="reject"',
    "MCP": "MCPServerConfig",
}


def snippet(name: str) -> str:
    (found,) = [text for text in SNIPPETS if MARKS[name] in text]
    return found


def output_of(name: str) -> str:
    """What the README says that the snippet prints."""
    shown = README.partition(snippet(name))[2].removeprefix("```").lstrip()
    return shown.removeprefix("```\n").partition("```")[0]


async def follow(text: str, **names: Any) -> dict[str, Any]:
    """Run a snippet as an interactive reader would; the names that it has afterwards."""
    given: dict[str, Any] = {"__name__": "readme", "uuid": uuid}
    for module in (rojak, rojak.types, rojak.workflows, rojak.agents):
        given |= vars(module)
    given |= names
    result = eval(compile(text, "README", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), given)
    if inspect.iscoroutine(result):
        async with asyncio.timeout(60):
            await result
    return given


@pytest.fixture(autouse=True)
def provider(model_server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> ModelServer:
    """Where programs name no key and no address, the SDK takes them from the environment."""
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.setenv("OPENAI_BASE_URL", model_server.base_url)
    return model_server


def test_every_snippet_is_here() -> None:
    assert [[name for name, mark in MARKS.items() if mark in text] for text in SNIPPETS] == [[name] for name in MARKS]


def test_usage(temporal_address: str, provider: ModelServer, tmp_path: Path) -> None:
    haiku = output_of("usage").rstrip("\n")
    provider.when(system="Haikus").reply(haiku)
    provider.otherwise().reply(tool_calls=[call("transfer_to_agent_b")])
    path = tmp_path / "main.py"
    path.write_text(snippet("usage").replace("localhost:7233", temporal_address))
    result = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=60)
    assert result.stdout == haiku + "\n", result.stderr
    assert haiku.startswith("Agent B is here")


async def test_client_and_worker(temporal_address: str, temporal_client: Client, provider: ModelServer) -> None:
    provider.otherwise().reply("Hello!")
    names = await follow(snippet("client").replace("localhost:7233", temporal_address))
    assert isinstance(names["rojak"], Rojak)
    # It works until it is stopped.
    working = asyncio.create_task(follow(snippet("worker"), temporal_client=temporal_client))
    try:
        task = TaskParams(agent=OpenAIAgent(), messages=[{"role": "user", "content": "Hi"}])
        response = await names["rojak"].run(id="readme-worker", task=task, timeout=30)
        assert response.result.messages[-1].content == "Hello!"
    finally:
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working


async def test_agents_as_they_are_declared() -> None:
    assert (await follow(snippet("instructions")))["agent"].instructions == "You are a helpful agent."
    options = (await follow(snippet("retries")))["agent"].retry_options
    assert (options.timeout_in_seconds, options.retry_policy.maximum_attempts) == (120, 10)


async def test_instructions_from_a_function(
    temporal_client: Client, provider: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    provider.when(system="Help the user, John, do").reply("Hi John, how can I assist you today?")
    await follow(snippet("instructions function"), temporal_client=temporal_client)
    assert capsys.readouterr().out == output_of("instructions function")


async def test_functions(temporal_client: Client, provider: ModelServer, capsys: pytest.CaptureFixture[str]) -> None:
    provider.when(last_role="user").reply(tool_calls=[call("greet", language="Spanish")])
    provider.when(last_role="tool").reply("Greeted.")
    await follow(snippet("functions"), temporal_client=temporal_client)
    assert output_of("functions") + "Greeted.\n" == capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "function"), [("hand-off", "transfer_to_sales"), ("everything at once", "talk_to_sales")]
)
async def test_hand_offs(
    temporal_client: Client, provider: ModelServer, capsys: pytest.CaptureFixture[str], name: str, function: str
) -> None:
    provider.when(last_role="user").reply(tool_calls=[call(function)])
    provider.when(last_role="tool").reply("Sales here.")
    await follow(snippet(name), temporal_client=temporal_client)
    said = capsys.readouterr().out.removeprefix("Hello, World!\n").splitlines()
    expected = output_of(name).splitlines()
    assert said[0] == expected[0] == "Sales Agent"
    assert [ast.literal_eval(line) for line in said[1:]] == [ast.literal_eval(line) for line in expected[1:]]


async def test_the_schema_of_a_function() -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    assert function_to_json((await follow(snippet("schema")))["greet"]) == json.loads(shown)


async def test_a_retriever_whose_store_is_away_does_no_harm(
    temporal_client: Client, provider: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    provider.otherwise().reply("You are you.")
    await follow(snippet("retriever"), temporal_client=temporal_client)
    assert capsys.readouterr().out == "You are you.\n"


async def test_a_schedule_and_its_runs(
    temporal_client: Client, temporal_address: str, provider: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    provider.otherwise().reply(output_of("scheduled runs").strip())
    await follow(snippet("schedule").replace("localhost:7233", temporal_address))
    schedule = temporal_client.get_schedule_handle("schedule_123")
    try:
        await schedule.trigger()
        app = Rojak(temporal_client, task_queue="tasks")
        async with asyncio.timeout(30), app.create_worker([OpenAIAgentActivities()]):
            while not [run async for run in app.list_scheduled_runs("schedule_123", statuses=["Completed"])]:
                await asyncio.sleep(0.1)  # visibility is eventually consistent: there is nothing to await
        await follow(snippet("scheduled runs"), temporal_client=temporal_client, schedule_id="schedule_123")
    finally:
        await schedule.delete()
    assert capsys.readouterr().out == output_of("scheduled runs")


@pytest.mark.parametrize("decision", ["approve", "reject"])
async def test_a_human_in_the_loop(
    temporal_client: Client, provider: ModelServer, capsys: pytest.CaptureFixture[str], decision: str
) -> None:
    def process_payment() -> str:
        return "paid"

    provider.when(last_role="user").reply(tool_calls=[call("process_payment")])
    provider.when(last_role="tool").reply(lambda conversation: conversation.tool_results[-1])
    # All but its first line is printed one column too far to the right.
    first, _, rest = snippet("interrupt").partition("\n")
    agent = (await follow(f"{first}\n{textwrap.dedent(rest)}"))["agent"]
    app = Rojak(temporal_client, task_queue="tasks")
    options = OpenAIAgentOptions(all_functions=[process_payment])
    async with app.create_worker([OpenAIAgentActivities(options)]):
        task = TaskParams(agent=agent, messages=[{"role": "user", "content": "Pay"}])
        response = await app.run(id="workflow_id", task=task)
        assert isinstance(response.result, ResumeRequest)
        if decision == "approve":
            names = await follow(snippet("resume"), response=response, rojak=app)
            final = names["final_response"].result
            assert capsys.readouterr().out == "Interrupt triggered: process_payment\n"
        else:
            rejection = (await follow(snippet("reject"), response=response))["reject_response"]
            final = (await app.run(id="workflow_id", resume=rejection)).result
    assert isinstance(final, OrchestratorResponse)
    expected = "paid" if decision == "approve" else "The tool call is unnecessary."
    assert expected in final.messages[-1].text


async def test_tools_of_an_mcp_server(
    temporal_client: Client,
    provider: ModelServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The snippet starts `python mcp_weather_server.py`, as one who stands beside it.
    monkeypatch.chdir(EXAMPLE)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    provider.when(last_role="user").reply(tool_calls=[call("get_weather", location="San Francisco")])
    provider.when(last_tool="foggy").reply("Foggy.")
    before = children()
    await follow(snippet("MCP"), temporal_client=temporal_client)
    assert capsys.readouterr().out == "Foggy.\n"
    assert children() == before


def children() -> set[int]:
    """The processes that this one has started and that live."""
    return {child.pid for child in psutil.Process().children(recursive=True) if child.status() != "zombie"}
