"""`rojak chat`, by a person at a real pseudo-terminal, and from a pipe."""

from __future__ import annotations

import asyncio
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from temporalio.client import Client

from rojak import ResumeResponse, Rojak, TaskParams
from rojak.testing import ModelServer
from rojak.types.agent import AgentRef
from tests.integration.cli.commands import Terminal, rojak
from tests.integration.hosting.worker_processes import agent, configuration, started

pytestmark = pytest.mark.timeout(180)


@asynccontextmanager
async def chatting(address: str, *arguments: str, **extra: str) -> AsyncIterator[Terminal]:
    terminal = Terminal(address, "chat", *arguments, **extra)
    try:
        yield terminal
    finally:
        terminal.close()


async def test_a_person_talks_sees_what_happens_and_is_told_how_to_continue(served: str, namespace: str) -> None:
    async with chatting(served, "triage", "-n", namespace, "--session", f"{namespace}-a") as chat:
        await chat.read("you> ")
        await chat.type('call add {"amount": 2}; transfer_to_billing \\')
        await chat.read("...> ")
        await chat.type("say Sure")
        await chat.read("triage hands over to billing")
        await chat.read("Sure")
        await chat.read("you> ")
        await chat.type("call add\\")
        await chat.type("echo")
        await chat.read("sum is 3")
        assert await chat.leave() == 0
        screen = chat.screen()
    assert 'triage calls add {"amount": 2}\n  triage calls transfer_to_billing' in screen
    assert "add answers: sum is 2" in screen
    # The agent that was handed over to goes on.
    assert "billing calls add\n" in screen
    assert f"Continue with: rojak chat triage --session {namespace}-a -n {namespace}" in screen


async def test_an_approval_is_asked_for_in_place_and_its_arguments_are_edited(served: str, namespace: str) -> None:
    async with chatting(served, "triage", "-n", namespace) as chat:
        await chat.read("you> ")
        await chat.type('call pay {"amount": 5}\\')
        await chat.type("echo")
        await chat.read("triage wants to call pay")
        await chat.read("May it pay?")
        await chat.read('"amount": 5')
        await chat.read("[e]? ")
        await chat.type("what?")
        await chat.read("[e]? ")
        await chat.type("e")
        await chat.read('arguments> {"amount": 5}')
        await chat.press("u")
        await chat.type('{"amount": 4')
        await chat.read("no JSON")
        await chat.read("[e]? ")
        await chat.type("edit")
        await chat.read('arguments> {"amount": 5}')
        await chat.press("u")
        await chat.type('{"amount": 3}')
        await chat.read("pay answers: paid 3")
        await chat.read("triage> paid 3")
        await chat.read("you> ")
        await chat.type('call pay; pay {"amount": 2}\\')
        await chat.type("echo")
        await chat.read("[e]? ")
        await chat.type("r")
        await chat.read("reason")
        await chat.type("too dear")
        await chat.read('"amount": 2')
        await chat.read("[e]? ")
        await chat.type("a")
        await chat.read("Feedback: too dear")
        await chat.read("pay answers: paid 2")
        assert await chat.leave() == 0


async def test_an_agent_that_is_asked_by_another_one_asks_the_person_too(served: str, namespace: str) -> None:
    async with chatting(served, "triage", "-n", namespace) as chat:
        await chat.read("you> ")
        await chat.type('call ask_billing {"message": "call pay\\necho"}\\')
        await chat.type("echo")
        await chat.read("billing wants to call pay")
        await chat.read("[e]? ")
        await chat.type("a")
        await chat.read("ask_billing answers: paid 1")
        await chat.read("triage> paid 1")
        assert await chat.leave() == 0


async def test_the_editor_of_the_person_is_used_for_arguments(served: str, namespace: str, tmp_path: Path) -> None:
    editor = tmp_path / "my editor"
    editor.write_text("#!/bin/sh\nsed -i 's/5/7/' \"$2\"\n")
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    async with chatting(served, "triage", "-n", namespace, EDITOR=f"'{editor}' --wait") as chat:
        await chat.read("you> ")
        await chat.type('call pay {"amount": 5}\\')
        await chat.type("echo")
        await chat.read("[e]? ")
        await chat.type("e")
        await chat.read("triage> paid 7")
        assert await chat.leave() == 0


async def test_a_session_is_continued_with_its_last_messages_and_what_waits(
    served: str, namespace: str, temporal_client: Client
) -> None:
    session = f"{namespace}-b"
    async with chatting(served, "triage", "-n", namespace, "--session", session) as chat:
        await chat.read("your first message begins it")
        await chat.read("you> ")
        await chat.type("say Hello there")
        await chat.read("Hello there")
        await chat.read("you> ")
        await chat.type("call pay\\")
        await chat.type("say Thanks")
        await chat.read("[e]? ")
        await chat.press("c")
        await chat.read(f"--session {session}")
        assert await chat.end() == 0
    async with chatting(served, "triage", "-n", namespace, "--session", session) as chat:
        await chat.read("Hello there")
        await chat.read("triage wants to call pay")
        await chat.read("[e]? ")
        # Meanwhile somebody else decides.
        elsewhere = Rojak(temporal_client, f"{namespace}.triage")
        (request,) = await elsewhere.get_pending_approvals(session)
        await elsewhere.run(id=session, resume=ResumeResponse(action="approve", tool_id=request.tool_id))
        await chat.type("a")
        await chat.read("waits no more")
        await chat.read("Thanks")
        await chat.read("you> ")
        await elsewhere.cancel(session)
        await chat.type("say again")
        await chat.read("a new one begins")
        await chat.read("triage> again")
        assert await chat.leave() == 0


async def test_ctrl_c_stops_the_wait_and_not_the_run(served: str, namespace: str, model: ModelServer) -> None:
    gate = model.when(last_user="slowly").reply("Slow answer").hold()
    async with chatting(served, "triage", "-n", namespace) as chat:
        await chat.read("you> ")
        await chat.type("slowly")
        await model.wait_for_requests(1)
        await chat.press("c")
        await chat.read("the run goes on")
        await chat.read("you> ")
        await chat.press("c")
        await chat.read("Ctrl-D leaves.")
        gate.release()
        await chat.type("")
        await chat.read("triage> Slow answer")
        await chat.read("you> ")
        await chat.type("say next")
        await chat.read("triage> next")
        assert await chat.leave() == 0
    assert len(model.requests) == 2


async def test_an_answer_that_is_on_its_way_is_waited_for(
    served: str, namespace: str, model: ModelServer, temporal_client: Client
) -> None:
    gate = model.when(last_user="slowly").reply("Slow answer").hold()
    elsewhere = Rojak(temporal_client, f"{namespace}.triage")
    task = TaskParams(agent=AgentRef("triage"), messages=[{"role": "user", "content": "slowly"}])  # type: ignore[list-item]
    run = asyncio.create_task(elsewhere.run(id=f"{namespace}-w", type="persistent", task=task))
    await model.wait_for_requests(1)
    async with chatting(served, "triage", "-n", namespace, "--session", f"{namespace}-w") as chat:
        await chat.read("you> slowly")
        await chat.read("Ctrl-C stops waiting")
        gate.release()
        await chat.read("triage> Slow answer")
        assert await chat.leave() == 0
    await run
    async with chatting(served, "triage", "-n", namespace, "--session", f"{namespace}-w") as chat:
        await chat.read("Ctrl-C stops waiting")
        assert await chat.leave() == 0
        assert chat.screen().count("Slow answer") == 1


async def test_a_failed_turn_is_said_and_the_chat_goes_on(served: str, namespace: str, model: ModelServer) -> None:
    model.when(last_user="fail").error(400, "no such thing")
    async with chatting(served, "triage", "-n", namespace) as chat:
        await chat.read("you> ")
        await chat.type("fail")
        await chat.read("no such thing")
        await chat.read("you> ")
        await chat.type("say fine")
        await chat.read("triage> fine")
        assert await chat.leave() == 0


async def test_what_a_model_says_does_not_command_the_terminal(served: str, namespace: str, model: ModelServer) -> None:
    model.when(last_user="evil").reply("a\x1b]0;title\x07b\x1b[2Jc\rd")
    async with chatting(served, "triage", "-n", namespace) as chat:
        await chat.read("you> ")
        await chat.type("evil")
        await chat.read("triage> a]0;titleb[2Jcd")
        assert await chat.leave() == 0


async def test_the_death_of_a_worker_is_not_noticed(
    temporal_address: str, namespace: str, model_server: ModelServer, tmp_path: Path
) -> None:
    model_server.when(last_user="tell").reply("one two three four five six seven eight").slow(chunk_delay=0.3)
    config = configuration(temporal_address, namespace, [agent("triage", model_server.base_url, namespace)])
    async with started(tmp_path, config) as worker, chatting(temporal_address, "triage", "-n", namespace) as chat:
        await worker.ready()
        await chat.read("you> ")
        await chat.type("tell me")
        await chat.read("two")
        worker.process.kill()
        async with started(tmp_path, config):
            await chat.read("eight")
            assert await chat.leave() == 0
    assert "triage> one two three four five six seven eight\n" in chat.screen()


async def test_a_server_that_is_down_is_said_at_once_with_how_to_start_one(unused_tcp_address: str) -> None:
    outcome = await rojak(unused_tcp_address, "chat", "triage", stdin="Hi\n")
    assert outcome.code == 6
    assert outcome.stdout == ""
    assert outcome.stderr.startswith(f"error: Temporal cannot be reached at {unused_tcp_address}: ")
    assert "`rojak dev -f DIR`" in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    async with chatting(unused_tcp_address, "triage") as chat:
        async with asyncio.timeout(20):
            assert await chat.end() == 6


async def test_a_pipe_gets_answers_and_nothing_else(served: str, namespace: str) -> None:
    lines = 'say One\n\ncall add {"amount": 2}\nsay Two\n'
    outcome = await rojak(served, "chat", "triage", "-n", namespace, stdin=lines)
    assert outcome.stdout == "One\ndone\nTwo\n"
    assert outcome.code == 0
    assert "\x1b" not in outcome.stderr
    assert "add answers: sum is 2" in outcome.stderr


async def test_a_pipe_cannot_decide(served: str, namespace: str) -> None:
    arguments = ["chat", "triage", "-n", namespace, "--session", f"{namespace}-p"]
    outcome = await rojak(served, *arguments, stdin="call pay\nsay never\n")
    assert (outcome.code, outcome.stdout) == (3, "")
    assert f"rojak approvals list --session {namespace}-p" in outcome.stderr


async def test_a_session_that_cannot_be_chatted_with_is_named(
    served: str, namespace: str, temporal_client: Client
) -> None:
    message = {"role": "user", "content": "call pay"}
    task = TaskParams(agent=AgentRef("triage"), messages=[message])  # type: ignore[list-item]
    await Rojak(temporal_client, f"{namespace}.triage").run(id=f"{namespace}-s", task=task)
    outcome = await rojak(served, "chat", "triage", "-n", namespace, "--session", f"{namespace}-s")
    assert outcome.code == 1
    assert "is a single run" in outcome.stderr


@pytest.fixture
def unused_tcp_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"
