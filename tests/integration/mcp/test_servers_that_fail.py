"""A server that is down, dies, hangs or answers nonsense: its tools fail, and nothing else does."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rojak import Rojak
from rojak.agents import OpenAIAgentActivities
from rojak.testing import ModelServer
from rojak.types import MCPServerConfig, RetryOptions, RetryPolicy
from rojak.types.errors import ConfigurationError, RunFailedError
from tests.integration.mcp.conftest import AGENT, bad, free_port, http_server, lines
from tests.integration.session.conftest import answer, task

pytestmark = pytest.mark.timeout(90)

Stdio = Callable[..., MCPServerConfig]


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (MCPServerConfig(type="stdio", command="no-such-command"), "the command 'no-such-command' was not found"),
        (
            MCPServerConfig(type="stdio", command=sys.executable, cwd="/no/such/directory"),
            "there is no directory '/no/such/directory'",
        ),
        (bad("exits"), "it exited with status 3; its last words were: ImportError: no module named nothing"),
        (bad("garbage", timeout=1.5), "it did not answer within 1.5 s .*lines .* that are no MCP messages"),
        (bad("hangs", timeout=1.5), "it did not answer within 1.5 s"),
        (MCPServerConfig(type="sse", url="http://127.0.0.1:9/sse"), "nothing answers there"),
        (MCPServerConfig(type="streamable-http", url="http://127.0.0.1:9/mcp"), "nothing answers there"),
    ],
    ids=["no command", "no directory", "exits", "garbage", "hangs", "no sse", "no http"],
)
async def test_a_server_that_cannot_be_reached_harms_nobody(
    config: MCPServerConfig,
    reason: str,
    rojak: Rojak,
    activities: OpenAIAgentActivities,
    session_id: str,
    stdio: Stdio,
    caplog: pytest.LogCaptureFixture,
) -> None:
    began = time.monotonic()
    async with rojak.create_worker([activities], mcp_servers={"broken": config, "fine": stdio()}):
        assert time.monotonic() - began < 15
        script = task('call get_weather {"city": "Oslo"}', "echo", agent=AGENT)
        response = await rojak.run(id=session_id, task=script)
        assert answer(response.result) == "22 degrees celsius in Oslo"

        def told() -> bool:
            return any(re.search(f"MCP server 'broken' is down: .*{reason}", line) for line in caplog.messages)

        await until(told)


async def test_the_child_is_killed_in_a_call(
    rojak: Rojak,
    activities: OpenAIAgentActivities,
    session_id: str,
    stdio: Stdio,
    ledger: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # A server of its own, and not the same one under another name.
    other_server = stdio(prefix="other_", env={"OTHER": "1"})
    async with rojak.create_worker([activities], mcp_servers={"test": stdio(), "other": other_server}):
        run = asyncio.create_task(rojak.run(id=session_id, task=task("call wait; other_pid", "echo", agent=AGENT)))
        await until(lambda: bool(lines(ledger)))
        pid = int(lines(ledger)[0].split()[0])
        os.kill(pid, signal.SIGKILL)
        killed, other = answer((await run).result).split(" | ")
        assert killed.startswith("Error: The connection to the MCP server 'test' was lost in the call of wait.")
        assert other.isdigit()
        assert "MCP server 'test' is down: it ended the connection (it exited with status -9)" in caplog.text
        # It is back by itself.
        response = await rojak.run(id=f"{session_id}-again", task=task("call pid", "echo", agent=AGENT))
        assert answer(response.result).isdigit()
        assert answer(response.result) != str(pid)


async def test_a_server_that_exits_in_a_call(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str, stdio: Stdio
) -> None:
    async with rojak.create_worker([activities], mcp_servers={"test": stdio()}):
        script = task("call exit_now", 'call get_weather {"city": "Oslo"}', "echo", agent=AGENT)
        lost, weather = answer((await rojak.run(id=session_id, task=script)).result).split(" | ")
        assert "was lost in the call of exit_now" in lost
        assert weather == "22 degrees celsius in Oslo"


async def test_a_call_ends_with_its_time_and_the_server_is_told(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str, stdio: Stdio, ledger: Path
) -> None:
    async with rojak.create_worker([activities], mcp_servers={"test": stdio(timeout=4)}):
        agent = AGENT.model_copy(update={"retry_options": RetryOptions(timeout_in_seconds=1)})
        response = await rojak.run(id=session_id, task=task("call wait", "echo", agent=agent))
        assert answer(response.result) == "Error: wait of the MCP server 'test' timed out after 1 s."
        await until(lambda: any("cancelled" in line for line in lines(ledger)))


async def test_a_cancelled_session_cancels_its_call(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str, stdio: Stdio, ledger: Path
) -> None:
    async with rojak.create_worker([activities], mcp_servers={"test": stdio()}):
        run = asyncio.create_task(
            rojak.run(id=session_id, type="persistent", task=task("call wait", "echo", agent=AGENT))
        )
        await until(lambda: bool(lines(ledger)))
        await rojak.cancel(session_id)
        await asyncio.wait({run})
        run.exception()
        await until(lambda: any("cancelled" in line for line in lines(ledger)))


async def test_a_server_that_stalls_is_started_anew(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with rojak.create_worker([activities], mcp_servers={"bad": bad("stalls", timeout=1.5)}):
        response = await rojak.run(id=session_id, task=task("call fine", "echo", agent=AGENT))
        assert answer(response.result) == "Error: fine of the MCP server 'bad' timed out after 1.5 s."
        await until(lambda: "MCP server 'bad' is down: it does not answer any more" in caplog.text)


async def test_five_megabytes_are_cut(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str, stdio: Stdio
) -> None:
    async with rojak.create_worker([activities], mcp_servers={"test": stdio()}):
        response = await rojak.run(id=session_id, task=task("call large", "say done", agent=AGENT))
        text = response.result.messages[2].text
        assert text.startswith("x" * 60_000)
        assert "[cut: the output has 5242880 bytes" in text


@pytest.mark.parametrize(
    ("kind", "path", "told"),
    [("streamable-http", "mcp", "[cut: the output has 5242880 bytes"), ("sse", "sse", "was lost in the call of large")],
)
async def test_five_megabytes_over_http(
    kind: str, path: str, told: str, rojak: Rojak, activities: OpenAIAgentActivities, session_id: str
) -> None:
    port = free_port()
    config = MCPServerConfig(type=kind, url=f"http://127.0.0.1:{port}/{path}")
    async with http_server(kind, port), rojak.create_worker([activities], mcp_servers={"test": config}):
        script = task("call large", 'call get_weather {"city": "Oslo"}', "say done", agent=AGENT)
        response = await rojak.run(id=session_id, task=script)
        large, weather = [message.text for message in response.result.messages if message.role == "tool"]
        assert told in large
        assert weather == "22 degrees celsius in Oslo"


async def test_more_tools_than_models_take(
    rojak: Rojak,
    activities: OpenAIAgentActivities,
    model: ModelServer,
    session_id: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with rojak.create_worker([activities], mcp_servers={"many": bad("many")}):
        for number in range(2):
            script = task("call tool_7; tool_400", "echo", agent=AGENT)
            response = await rojak.run(id=f"{session_id}-{number}", task=script)
            taken, left = answer(response.result).split(" | ")
            assert taken == "fine"
            assert left.startswith("Error: There is no function 'tool_400'.")
        assert len(model.requests[0].conversation.tools) == 128
        told = [text for text in caplog.messages if "lists 500 tools" in text]
        assert len(told) == 1
        assert "include=[...]" in told[0]


async def test_tools_with_more_text_than_a_session_keeps(
    rojak: Rojak,
    activities: OpenAIAgentActivities,
    model: ModelServer,
    session_id: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with rojak.create_worker([activities], mcp_servers={"huge": bad("huge")}):
        response = await rojak.run(id=session_id, task=task("call tool_0", "echo", agent=AGENT))
        assert answer(response.result) == "fine"
        assert len(model.requests[0].conversation.tools) == 7
        assert "MCP server 'huge': 13 of its 20 tools are left out" in caplog.text


async def test_invalid_schemas_leave_the_other_tools_alone(
    rojak: Rojak,
    activities: OpenAIAgentActivities,
    model: ModelServer,
    session_id: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with rojak.create_worker([activities], mcp_servers={"bad": bad("schemas")}):
        response = await rojak.run(id=session_id, task=task('call fine; remote {"x": 1}', "echo", agent=AGENT))
        assert answer(response.result) == "fine | fine"
        assert model.requests[0].conversation.tools == ["remote", "fine"]
        for name in ("no_schema", "array", "nonsense", "wrong_hints"):
            assert f"tool '{name}'" in caplog.text


async def test_names_that_providers_refuse_are_changed(
    rojak: Rojak, activities: OpenAIAgentActivities, model: ModelServer, session_id: str
) -> None:
    async with rojak.create_worker([activities], mcp_servers={"bad": bad("names")}):
        await rojak.run(id=session_id, task=task("say done", agent=AGENT))
        first, second, third = model.requests[0].conversation.tools
        assert first == "files_read_all"
        assert second.startswith("files_read_all_")
        assert (third[:55], len(third)) == ("x" * 55, 64)
        response = await rojak.run(id=f"{session_id}-call", task=task(f"call {second}; {third}", "echo", agent=AGENT))
        assert answer(response.result) == "fine | fine"


@pytest.mark.parametrize("kind", ["sse", "streamable-http"])
async def test_a_server_that_comes_later_and_goes_and_comes_back(
    kind: str, rojak: Rojak, activities: OpenAIAgentActivities, session_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    config = MCPServerConfig(type=kind, url=f"http://127.0.0.1:{port}/{'sse' if kind == 'sse' else 'mcp'}")
    script = task('call get_weather {"city": "Oslo"}', "echo", agent=AGENT)

    async def ask(wanted: str) -> None:
        async with asyncio.timeout(40):
            while True:
                response = await rojak.run(id=session_id, type="persistent", task=script)
                if wanted in answer(response.result):
                    return
                await asyncio.sleep(0.1)

    async with rojak.create_worker([activities], mcp_servers={"late": config}):
        await ask("There is no function")
        async with http_server(kind, port):
            await ask("22 degrees")
        # The session knows the tool, so the model is told what is the matter with it.
        await ask("MCP server 'late'")
        async with http_server(kind, port):
            await ask("22 degrees")
    assert "MCP server 'late' is down" in caplog.text


async def test_a_session_keeps_the_tools_of_a_server_that_a_new_worker_has_not_seen(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str, stdio: Stdio
) -> None:
    script = task("call pid", "echo", agent=AGENT)
    async with rojak.create_worker([activities], mcp_servers={"test": stdio()}):
        response = await rojak.run(id=session_id, type="persistent", task=script)
        assert answer(response.result).isdigit()
    async with rojak.create_worker([activities], mcp_servers={"test": bad("exits")}):
        response = await rojak.run(id=session_id, type="persistent", task=script)
        assert answer(response.result) == (
            "Error: The MCP server 'test' is down. Its tools cannot be used at the moment."
        )
    async with rojak.create_worker([activities]):
        response = await rojak.run(id=session_id, type="persistent", task=script)
        assert "There is no function 'pid'" in answer(response.result)


async def test_a_retry_policy_sees_a_server_that_is_down(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str, stdio: Stdio, ledger: Path
) -> None:
    policy = RetryPolicy(maximum_attempts=2, initial_interval_in_seconds=0.1)
    options = RetryOptions(timeout_in_seconds=1, retry_policy=policy)
    agent = AGENT.model_copy(update={"retry_options": options})
    async with rojak.create_worker([activities], mcp_servers={"test": stdio()}):
        response = await rojak.run(id=session_id, task=task("call wait", "echo", agent=agent))
        assert answer(response.result).startswith("Error: TimeoutError: wait of the MCP server")
        assert sum(" wait " in line for line in lines(ledger)) == 2


@pytest.mark.parametrize(
    ("second", "complaint"),
    [
        ({}, "MCP server 'two' and MCP server 'one' have a tool named 'get_weather'"),
        ({"prefix": "two_"}, None),
        ({"exclude": ["get_*"]}, None),
    ],
    ids=["same", "prefix", "exclude"],
)
async def test_two_servers_with_a_tool_of_the_same_name(
    second: dict[str, Any], complaint: str | None, rojak: Rojak, activities: OpenAIAgentActivities, stdio: Stdio
) -> None:
    env = {"MCP_TEST_TOOLS": "get_weather"}
    servers = {"one": stdio(env=env), "two": stdio(env=env, **second)}
    worker = rojak.create_worker([activities], mcp_servers=servers)
    if complaint is None:
        async with worker:
            return
    with pytest.raises(ConfigurationError, match=complaint):
        async with worker:
            pass


async def test_a_server_with_a_tool_that_a_function_is_called(
    rojak: Rojak, activities: OpenAIAgentActivities, stdio: Stdio
) -> None:
    worker = rojak.create_worker([activities], mcp_servers={"one": stdio(prefix="a"), "two": bad("stalls")})
    async with worker:
        pass
    (name,) = [name for name in activities.functions if name == "add"]
    config = bad("named", args=["-m", "tests.integration.mcp.bad_server", "named", name])
    with pytest.raises(ConfigurationError, match="MCP server 'two' and a registered function have a tool named 'add'"):
        async with rojak.create_worker([activities], mcp_servers={"two": config}):
            pass


async def test_an_agent_that_names_a_server_the_worker_does_not_have(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str, stdio: Stdio
) -> None:
    agent = AGENT.model_copy(update={"mcp_servers": ["tests"]})
    async with rojak.create_worker([activities], mcp_servers={"test": stdio()}):
        with pytest.raises(RunFailedError, match="names the MCP server 'tests', which this worker does not have"):
            await rojak.run(id=session_id, task=task("say done", agent=agent))


async def test_no_secret_and_no_content_is_logged(
    rojak: Rojak,
    activities: OpenAIAgentActivities,
    session_id: str,
    stdio: Stdio,
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = stdio(env={"TOKEN": "swordfish"})
    headers = {"Authorization": "Bearer swordfish"}
    dead = MCPServerConfig(type="streamable-http", url="http://127.0.0.1:9/mcp?key=swordfish", headers=headers)
    with caplog.at_level(logging.INFO):
        async with rojak.create_worker([activities], mcp_servers={"test": config, "dead": dead}):
            script = task('call get_weather {"city": "Atlantis"}; break_down; exit_now', "echo", agent=AGENT)
            await rojak.run(id=session_id, task=script)
    ours = [record for record in caplog.records if not record.name.startswith("asyncio")]
    text = "\n".join(caplog.handler.format(record) for record in ours)
    assert "MCP server" in text
    assert "swordfish" not in text
    assert "Atlantis" not in text
