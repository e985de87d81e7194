"""Agents call tools of MCP servers, over each transport."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from rojak import Interrupt, ResumeRequest, ResumeResponse, Rojak
from rojak.agents import (
    AnthropicAgent,
    AnthropicAgentActivities,
    AnthropicAgentOptions,
    OpenAIAgent,
    OpenAIAgentActivities,
)
from rojak.testing import ModelServer
from rojak.types import AgentRef, HandOffTool, MCPServerConfig
from rojak.types.errors import RunFailedError
from tests.integration.mcp.conftest import AGENT, free_port, http_server, lines
from tests.integration.session.conftest import answer, task

pytestmark = pytest.mark.timeout(90)

Stdio = Callable[..., MCPServerConfig]
PATHS = {"sse": "sse", "streamable-http": "mcp"}


@asynccontextmanager
async def a_server(kind: str, stdio: Stdio, ledger: Path) -> AsyncIterator[MCPServerConfig]:
    if kind == "stdio":
        yield stdio()
        return
    port = free_port()
    async with http_server(kind, port, MCP_TEST_LEDGER=str(ledger)):
        yield MCPServerConfig(type=kind, url=f"http://127.0.0.1:{port}/{PATHS[kind]}")


async def catalogs_stored(rojak: Rojak, session_id: str) -> int:
    """How often a session's history holds a list of tools."""
    history = await rojak.client.get_workflow_handle(session_id).fetch_history()
    results = [event.activity_task_completed_event_attributes.result for event in history.events]
    return sum(b'"catalog"' in payload.data for result in results for payload in result.payloads)


@pytest.mark.parametrize("kind", ["stdio", "sse", "streamable-http"])
async def test_a_tool_is_offered_and_called(
    kind: str,
    rojak: Rojak,
    activities: OpenAIAgentActivities,
    model: ModelServer,
    session_id: str,
    stdio: Stdio,
    ledger: Path,
) -> None:
    async with (
        a_server(kind, stdio, ledger) as config,
        rojak.create_worker([activities], mcp_servers={"test": config}),
    ):
        script = task(
            'call get_weather {"city": "Oslo"}; measure {"city": "Oslo"}; key; break_down', "echo", agent=AGENT
        )
        response = await rojak.run(id=session_id, task=script)
        weather, data, key, failure = answer(response.result).split(" | ")
        assert weather == "22 degrees celsius in Oslo"
        assert json.loads(data) == {"city": "Oslo", "degrees": 22}
        assert key.startswith(f"{session_id}/1/")
        assert failure == "Error: Error executing tool break_down"
        offered = {tool["function"]["name"]: tool["function"] for tool in model.requests[0].conversation.body["tools"]}
        assert offered["get_weather"]["description"] == "The weather in a city."
        assert offered["get_weather"]["parameters"]["required"] == ["city"]


@pytest.mark.parametrize("kind", ["stdio", "sse", "streamable-http"])
async def test_all_calls_of_all_sessions_share_one_connection(
    kind: str, rojak: Rojak, activities: OpenAIAgentActivities, session_id: str, stdio: Stdio, ledger: Path
) -> None:
    async with (
        a_server(kind, stdio, ledger) as config,
        rojak.create_worker([activities], mcp_servers={"test": config}),
    ):
        script = task("call pid; pid", "call pid", "echo", agent=AGENT)
        responses = await asyncio.gather(*(rojak.run(id=f"{session_id}-{n}", task=script) for n in range(5)))
        pids = {pid for response in responses for pid in answer(response.result).split(" | ")}
        assert len(pids) == 1


async def test_arguments_are_checked_before_the_call(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str, stdio: Stdio
) -> None:
    async with rojak.create_worker([activities], mcp_servers={"test": stdio()}):
        script = task('call get_weather {"unit": null}; get_weather {"city": 5}', "echo", agent=AGENT)
        missing, wrong = answer((await rojak.run(id=session_id, task=script)).result).split(" | ")
        assert missing == "Error: Wrong arguments for get_weather:\n- 'city' is a required property"
        assert wrong == "Error: Wrong arguments for get_weather:\n- city: 5 is not of type 'string'"


async def test_what_is_no_text_reaches_the_model_in_its_form_or_by_name(
    rojak: Rojak, activities: OpenAIAgentActivities, model: ModelServer, session_id: str, stdio: Stdio
) -> None:
    claude = AnthropicAgentActivities(AnthropicAgentOptions(api_key="test", base_url=model.anthropic_base_url))
    async with rojak.create_worker([activities, claude], mcp_servers={"test": stdio()}):
        response = await rojak.run(id=session_id, task=task("call show", "say seen", agent=AGENT))
        assert answer(response.result) == "seen"
        text = (
            "Look:\n[audio, audio/wav, 3 bytes: cannot be shown]\n[resource notes: file:///notes.txt, text/plain]\n"
            "[resource file:///today.txt]\nsunny"
        )
        assert response.result.messages[2].text == text
        result, picture = model.requests[-1].conversation.body["messages"][-2:]
        assert (result["role"], result["content"]) == ("tool", f"{text}\n(1 image, shown below)")
        assert picture["role"] == "user"
        assert picture["content"][-1]["image_url"]["url"].startswith("data:image/png;base64,")

        script = task("call show", "say seen", agent=AnthropicAgent(name="C"))
        await rojak.run(id=f"{session_id}-claude", task=script)
        (block,) = model.requests[-1].conversation.body["messages"][-1]["content"]
        assert [part["type"] for part in block["content"]] == ["text", "image"]


async def test_new_tools_are_offered_from_the_next_turn_on(
    rojak: Rojak, activities: OpenAIAgentActivities, model: ModelServer, session_id: str, stdio: Stdio
) -> None:
    async with rojak.create_worker([activities], mcp_servers={"test": stdio()}):
        script = task("call grow", "call grown", "echo", agent=AGENT)
        response = await rojak.run(id=session_id, type="persistent", task=script)
        # In the same turn the list stays what it was.
        assert "There is no function 'grown'" in answer(response.result)
        response = await rojak.run(id=session_id, type="persistent", task=task("call grown", "echo", agent=AGENT))
        assert answer(response.result) == "I am new"
        # The catalog is stored when it changes, and not with each turn.
        await rojak.run(id=session_id, type="persistent", task=task("say more", agent=AGENT))
        assert await catalogs_stored(rojak, session_id) == 2


async def test_an_agent_is_limited_to_its_servers(
    rojak: Rojak, activities: OpenAIAgentActivities, model: ModelServer, session_id: str, stdio: Stdio
) -> None:
    servers = {"one": stdio(include=["get_*", "pid"], exclude=["pid"]), "two": stdio(include=["pid"], prefix="two_")}
    async with rojak.create_worker([activities], mcp_servers=servers):
        for number, (limit, expected) in enumerate(
            [(None, {"get_weather", "two_pid"}), (["two"], {"two_pid"}), ([], set())]
        ):
            agent = AGENT.model_copy(update={"mcp_servers": limit})
            script = task('call get_weather {"city": "Oslo"}', "echo", agent=agent)
            response = await rojak.run(id=f"{session_id}-{number}", task=script)
            offered = {tool["function"]["name"] for tool in model.requests[-1].conversation.body.get("tools", [])}
            assert offered == expected
            told = "22 degrees" if limit is None else "There is no function 'get_weather'"
            assert told in answer(response.result)


@pytest.mark.parametrize(
    "interrupt", [Interrupt("delete_everything"), Interrupt("delete_*"), Interrupt(destructive=True)], ids=str
)
async def test_a_human_is_asked_before_a_tool_destroys(
    interrupt: Interrupt, rojak: Rojak, activities: OpenAIAgentActivities, session_id: str, stdio: Stdio, ledger: Path
) -> None:
    agent = AGENT.model_copy(update={"interrupts": [interrupt]})
    async with rojak.create_worker([activities], mcp_servers={"test": stdio()}):
        script = task('call get_weather {"city": "Oslo"}; delete_everything', "echo", agent=agent)
        response = await rojak.run(id=session_id, task=script)
        assert isinstance(response.result, ResumeRequest)
        assert response.result.tool_name == "delete_everything"
        assert not lines(ledger)
        resume = ResumeResponse(action="approve", tool_id=response.result.tool_id)
        response = await rojak.run(id=session_id, resume=resume)
        assert answer(response.result) == "22 degrees celsius in Oslo | deleted"


async def test_a_misspelt_interrupt_for_a_tool_of_a_server_lets_no_call_through(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str, stdio: Stdio, ledger: Path
) -> None:
    agent = AGENT.model_copy(update={"interrupts": [Interrupt("delete_everythin")]})
    async with rojak.create_worker([activities], mcp_servers={"test": stdio()}):
        with pytest.raises(RunFailedError, match=r"'delete_everythin'.*Did you mean 'delete_everything'\?"):
            await rojak.run(id=session_id, task=task("call delete_everything", "echo", agent=agent))
    assert not lines(ledger)


async def test_an_interrupt_may_be_for_a_tool_of_a_server_that_is_down(
    rojak: Rojak,
    activities: OpenAIAgentActivities,
    session_id: str,
    stdio: Stdio,
    caplog: pytest.LogCaptureFixture,
) -> None:
    agent = AGENT.model_copy(update={"interrupts": [Interrupt("shred")]})
    down = MCPServerConfig(type="streamable-http", url=f"http://127.0.0.1:{free_port()}/mcp")
    async with rojak.create_worker([activities], mcp_servers={"test": stdio(), "down": down}):
        response = await rojak.run(id=session_id, task=task("say fine", agent=agent))
    assert answer(response.result) == "fine"
    assert "interrupt for 'shred'" in caplog.text
    assert "(down)" in caplog.text


async def test_environment_and_prefix_of_a_server(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str, stdio: Stdio
) -> None:
    config = stdio(env={"SECRET": "swordfish"}, prefix="box-")
    assert "swordfish" not in repr(config)
    async with rojak.create_worker([activities], mcp_servers={"test": config}):
        script = task('call box-environment {"name": "SECRET"}; box-environment {"name": "LANG"}', "echo", agent=AGENT)
        assert answer((await rojak.run(id=session_id, task=script)).result) == "swordfish | not set"


async def test_a_name_that_a_later_server_has_too_stays_where_it_was(
    rojak: Rojak,
    activities: OpenAIAgentActivities,
    session_id: str,
    stdio: Stdio,
    caplog: pytest.LogCaptureFixture,
) -> None:
    port = free_port()
    late = MCPServerConfig(type="streamable-http", url=f"http://127.0.0.1:{port}/mcp", include=["pid", "key"])
    # The later one stands first in the configuration.
    servers = {"late": late, "early": stdio(include=["pid"])}
    script = task("call pid", "echo", agent=AGENT)
    async with rojak.create_worker([activities], mcp_servers=servers):
        pid = answer((await rojak.run(id=f"{session_id}-0", task=script)).result)
        async with http_server("streamable-http", port), asyncio.timeout(40):
            number = 0
            while "MCP server 'late' and MCP server 'early' have a tool named 'pid'" not in caplog.text:
                number += 1
                response = await rojak.run(id=f"{session_id}-{number}", task=script)
                assert answer(response.result) == pid
            # Its other tools are there.
            response = await rojak.run(id=f"{session_id}-key", task=task("call key", "echo", agent=AGENT))
            assert answer(response.result).startswith(f"{session_id}-key/1/")


async def test_an_agent_on_another_queue_has_the_tools_of_its_own_worker(
    rojak: Rojak, activities: OpenAIAgentActivities, model: ModelServer, session_id: str, stdio: Stdio
) -> None:
    queue = f"{rojak.task_queue}-other"
    other = OpenAIAgent(name="Other", task_queue=queue)
    first = OpenAIAgent(name="First", tools=[HandOffTool(AgentRef("Other", task_queue=queue), "other")])
    # A server of its own, and not the same one under another name.
    theirs = stdio(include=["pid"], prefix="b_", env={"OTHER": "1"})
    async with (
        rojak.create_worker([activities], mcp_servers={"a": stdio(include=["pid"], prefix="a_")}),
        Rojak(rojak.client, queue).create_worker([activities], mcp_servers={"b": theirs}, agents=[other]),
    ):
        script = task("call a_pid", "call transfer_to_other", "call b_pid; a_pid", "echo", agent=first)
        response = await rojak.run(id=session_id, task=script)
        our_pid, _, their_pid, gone = [m.text for m in response.result.messages if m.role == "tool"]
        assert our_pid.isdigit()
        assert their_pid.isdigit()
        assert our_pid != their_pid
        assert "There is no function 'a_pid'" in gone
        assert [r.conversation.tools for r in model.requests[-2:]] == [["b_pid"], ["b_pid"]]
