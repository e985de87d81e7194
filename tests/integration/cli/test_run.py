"""`rojak run`, as a script uses it: standard output is the answer, the exit code says how it went."""

from __future__ import annotations

import asyncio
import contextlib
import signal

import pytest
import yaml
from temporalio.client import Client

from rojak import Rojak
from rojak.testing import ModelServer
from tests.integration.cli.commands import COMMAND, Terminal, environment, rojak

pytestmark = pytest.mark.timeout(120)


async def test_the_answer_is_all_that_is_on_standard_output(served: str, namespace: str) -> None:
    outcome = await rojak(served, "run", "triage", 'call add {"amount": 2}\nsay Two', "-n", namespace)
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, "Two\n", "")


async def test_programs_get_the_whole_result(served: str, namespace: str) -> None:
    script = 'call add {"amount": 2}\nsay Two'
    context = ["-c", "sum=40", "-c", "who=me", "-c", 'data={"a": [1]}']
    outcome = await rojak(served, "run", "triage", "-", "-n", namespace, "-o", "json", *context, stdin=script)
    data = outcome.data
    assert (data["status"], data["answer"], data["agent"]) == ("done", "Two", "triage")
    assert data["context_variables"] == {"sum": 42, "who": "me", "data": {"a": [1]}}
    assert [message["role"] for message in data["messages"]] == ["user", "assistant", "tool", "assistant"]
    outcome = await rojak(served, "run", "triage", "say Two", "-n", namespace, "-o", "yaml")
    assert yaml.safe_load(outcome.stdout)["answer"] == "Two"


async def test_a_session_is_gone_on_with(served: str, namespace: str) -> None:
    arguments = ["run", "triage", "-n", namespace, "--session", f"{namespace}-r"]
    assert (await rojak(served, *arguments, "say One")).stdout == "One\n"
    assert (await rojak(served, *arguments, "count")).stdout == "4\n"


async def test_a_call_that_waits_has_an_exit_code_of_its_own(
    served: str, namespace: str, temporal_client: Client
) -> None:
    arguments = ["run", "triage", "call pay\necho", "-n", namespace]
    outcome = await rojak(served, *arguments, "--session", f"{namespace}-w")
    assert (outcome.code, outcome.stdout) == (3, "")
    assert "waits for approval: pay\n" in outcome.stderr
    assert f"rojak approvals approve {namespace}-w" in outcome.stderr
    outcome = await rojak(served, *arguments, "-o", "json")
    assert outcome.code == 3
    assert outcome.data["status"] == "waiting_for_approval"
    assert [waiting["tool_name"] for waiting in outcome.data["approvals"]] == ["pay"]
    outcome = await rojak(served, *arguments, "--approve", "all")
    assert (outcome.code, outcome.stdout) == (0, "paid 1\n")
    await Rojak(temporal_client, f"{namespace}.triage").cancel(f"{namespace}-w")


async def test_a_limit_has_an_exit_code_of_its_own(served: str, namespace: str) -> None:
    script = "call add; add\ncall add; add\nsay never"
    outcome = await rojak(served, "run", "triage", script, "-n", namespace)
    assert (outcome.code, outcome.stdout) == (4, "")
    assert outcome.stderr == "the run reached its limit max_tool_calls (3 of 3) and ended without an answer\n"


async def test_a_run_that_fails_says_why(served: str, namespace: str, model: ModelServer) -> None:
    model.when(last_user="fail").error(400, "no such thing")
    outcome = await rojak(served, "run", "triage", "fail", "-n", namespace)
    assert (outcome.code, outcome.stdout) == (1, "")
    assert outcome.stderr == "error: BadRequestError: no such thing (status 400)\n"


async def test_a_run_that_takes_too_long_goes_on(served: str, namespace: str, model: ModelServer) -> None:
    gate = model.when(last_user="slowly").reply("Slow").hold()
    session = f"{namespace}-t"
    arguments = ["run", "triage", "slowly", "-n", namespace, "--session", session, "--timeout", "1.5"]
    outcome = await rojak(served, *arguments)
    gate.release()
    assert (outcome.code, outcome.stdout) == (7, "")
    assert "no answer within 1.5" in outcome.stderr
    assert f"the run goes on: rojak sessions show {session}" in outcome.stderr


async def test_an_interrupted_command_leaves_the_run_alone(
    served: str, namespace: str, temporal_client: Client, model: ModelServer
) -> None:
    gate = model.when(last_user="slowly").reply("Slow").hold()
    arguments = ["run", "triage", "slowly", "-n", namespace, "--session", f"{namespace}-i"]
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, stderr=asyncio.subprocess.PIPE, env=environment(served)
    )
    try:
        await model.wait_for_requests(1)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            _, err = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    assert process.returncode == 130
    assert err.decode() == f"interrupted; the run goes on: rojak sessions show {namespace}-i\n"
    gate.release()
    result = await Rojak(temporal_client, f"{namespace}.triage").get_result(f"{namespace}-i")
    assert result.messages[-1].text == "Slow"  # type: ignore[union-attr]


async def test_at_a_terminal_what_happens_is_shown_before_the_answer(served: str, namespace: str) -> None:
    terminal = Terminal(served, "run", "triage", "call add; transfer_to_billing\nsay Hello", "-n", namespace)
    try:
        assert await terminal.end() == 0
    finally:
        terminal.close()
    lines = terminal.screen().splitlines()
    assert lines[0] == "  triage calls add".strip()
    assert "  triage hands over to billing" in lines
    assert lines[-1] == "Hello"


async def test_an_agent_that_nobody_serves_is_named(temporal_address: str, namespace: str) -> None:
    outcome = await rojak(temporal_address, "run", "nobody", "Hi", "-n", namespace, "--wait-for-worker", "1")
    assert (outcome.code, outcome.stdout) == (5, "")
    assert f"error: no worker polls task queue '{namespace}.nobody', or none answers (for 1 s)" in outcome.stderr
    assert "rojak dev -f DIR" in outcome.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([""], "the message is empty"),
        (["Hi", "-c", "novalue"], "name=value"),
        (["Hi", "-c", "=x"], "name=value"),
        (["Hi", "--timeout", "-1"], "timeout"),
        (["Hi", "--approve", "some"], "approve"),
        (["Hi", "--config-file", "/nowhere.toml"], "there is no file /nowhere.toml"),
        (["Hi", "--profile", "nowhere"], "nowhere"),
    ],
)
async def test_a_wrong_call_is_told_before_anything_is_sent(
    temporal_address: str, arguments: list[str], said: str
) -> None:
    outcome = await rojak(temporal_address, "run", "triage", *arguments)
    assert outcome.code == 2
    assert outcome.stderr.startswith("error: ")
    assert said in outcome.stderr


async def test_a_namespace_that_temporal_does_not_have_is_named(temporal_address: str) -> None:
    outcome = await rojak(temporal_address, "run", "triage", "Hi", "--temporal-namespace", "nowhere")
    assert outcome.code == 6
    assert "nowhere" in outcome.stderr
    assert "--temporal-namespace" in outcome.stderr
