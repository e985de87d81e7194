"""`rojak sessions` and `rojak approvals`: what is there, in all sessions, and what people do about it."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client

from rojak import Rojak, TaskParams
from rojak.agents import HandOffTool, OpenAIAgent
from rojak.types.agent import AgentRef
from rojak.types.errors import NoWorkerError
from tests.integration.cli.commands import Outcome, rojak

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def triage(temporal_client: Client, namespace: str) -> Rojak:
    return Rojak(temporal_client, f"{namespace}.triage")


async def say(triage: Rojak, session: str, text: str, **fields: Any) -> Any:
    message: Any = {"role": "user", "content": text}
    task = TaskParams(agent=AgentRef("triage"), messages=[message])
    fields = {"type": "persistent", **fields}
    return (await triage.run(id=session, task=task, **fields)).result


async def until_listed(address: str, *arguments: str, count: int) -> Outcome:
    """What a list says once it has as many rows: Temporal's lists are a little behind."""
    async with asyncio.timeout(40):
        while True:
            outcome = await rojak(address, *arguments, "-o", "json")
            if len(outcome.data) == count:
                return outcome


async def test_sessions_are_listed_by_agent_status_and_namespace(served: str, namespace: str, triage: Rojak) -> None:
    await say(triage, f"{namespace}-1", "say Hello")
    await say(triage, f"{namespace}-2", "call transfer_to_billing\nsay Hello")
    await say(triage, f"{namespace}-3", "call pay")
    await say(triage, f"{namespace}-4", "say Bye", type="stateless")
    mine = ["sessions", "list", "-n", namespace]
    rows = {row["session"]: row for row in (await until_listed(served, *mine, count=4)).data}
    assert rows[f"{namespace}-1"]["status"] == "active"
    assert rows[f"{namespace}-1"]["task_queue"] == f"{namespace}.triage"
    assert rows[f"{namespace}-2"]["agent"] == "billing"
    assert rows[f"{namespace}-4"]["status"] == "completed"
    assert rows[f"{namespace}-4"]["ended"] is not None
    await until_listed(served, *mine, "--agent", "billing", count=1)
    outcome = await until_listed(served, *mine, "--status", "waiting_for_approval", count=1)
    assert outcome.data[0]["session"] == f"{namespace}-3"
    await until_listed(served, *mine, "-s", "active", "-s", "completed", count=3)
    outcome = await rojak(served, *mine, "--limit", "1")
    assert outcome.stdout.split("\n")[0].split() == ["SESSION", "AGENT", "STATUS", "AGE"]
    assert len(outcome.stdout.splitlines()) == 2
    assert outcome.stderr == "there are more; --limit 2 shows twice as many\n"
    assert "\x1b" not in outcome.stdout


async def test_a_session_that_waits_for_an_agent_that_nobody_serves(
    served: str, namespace: str, temporal_client: Client
) -> None:
    session, queue = f"{namespace}-w", f"{namespace}.nobody"
    triage = Rojak(temporal_client, f"{namespace}.triage", no_worker_timeout=1)
    agent = OpenAIAgent(name="lost", tools=[HandOffTool(AgentRef("nobody", task_queue=queue), "Is not there")])
    message: Any = {"role": "user", "content": "call transfer_to_nobody\nsay Hello"}
    with pytest.raises(NoWorkerError):
        await triage.run(id=session, type="persistent", task=TaskParams(agent=agent, messages=[message]))
    said = f"no worker polls task queue '{queue}', where agent 'nobody' is to work"
    outcome = await rojak(served, "sessions", "show", session)
    assert (outcome.code, outcome.stderr) == (0, f"It waits: {said}.\n")
    data = (await rojak(served, "sessions", "show", session, "-o", "json")).data
    assert data["unserved"] == [{"agent": "nobody", "task_queue": queue}]
    assert (await rojak(served, "sessions", "cancel", session)).code == 0


async def test_a_session_is_shown_while_it_lives_and_afterwards(served: str, namespace: str, triage: Rojak) -> None:
    session = f"{namespace}-s"
    await say(triage, session, 'call add {"amount": 2}\nsay Two')
    outcome = await rojak(served, "sessions", "show", session)
    conversation = outcome.stdout.splitlines()
    assert conversation == [
        'you> call add {"amount": 2}',
        "say Two",
        '  triage calls add {"amount": 2}',
        "  add answers: sum is 2",
        "triage> Two",
    ]
    data = (await rojak(served, "sessions", "show", session, "-o", "json")).data
    assert data["context_variables"] == {"sum": 2}
    assert data["agent"] == "triage"
    assert data["type"] == "persistent"
    assert data["unserved"] == []
    outcome = await rojak(served, "sessions", "cancel", session)
    assert (outcome.code, outcome.stdout) == (0, f"{session} was cancelled\n")
    outcome = await rojak(served, "sessions", "cancel", session)
    assert outcome.stderr == f"{session} has ended already (cancelled)\n"
    outcome = await rojak(served, "sessions", "show", session)
    assert outcome.stdout.splitlines() == conversation
    assert outcome.stderr == "It has ended (cancelled).\n"


async def test_a_single_run_that_is_over_is_shown_though_nobody_serves_it(
    served: str, namespace: str, triage: Rojak
) -> None:
    await say(triage, f"{namespace}-o", "say Over", type="stateless")
    outcome = await rojak(served, "sessions", "show", f"{namespace}-o")
    assert outcome.stdout == "you> say Over\ntriage> Over\n"


@pytest.mark.parametrize("command", [["sessions", "show"], ["sessions", "cancel"], ["approvals", "approve"]])
async def test_a_session_that_is_not_there_is_named(temporal_address: str, command: list[str]) -> None:
    outcome = await rojak(temporal_address, *command, "nobody")
    assert outcome.code == 8
    assert outcome.stderr.startswith("error: there is no session 'nobody'; `rojak sessions list`")


async def test_approvals_of_all_sessions_are_listed_and_decided(served: str, namespace: str, triage: Rojak) -> None:
    first, second = f"{namespace}-1", f"{namespace}-2"
    await say(triage, first, 'call pay {"amount": 5}\necho')
    await say(triage, second, 'call pay; pay {"amount": 2}\necho')
    rows = (await until_listed(served, "approvals", "list", "-n", namespace, count=3)).data
    assert [row["session"] for row in rows] == [first, second, second]
    assert rows[0]["tool"] == "pay"
    assert rows[0]["asked_at"] is not None
    table = (await rojak(served, "approvals", "list", "-n", namespace)).stdout.splitlines()
    assert table[0].split("  ")[0] == "SESSION"
    assert 'pay {"amount": 5}' in table[1]
    assert table[1].endswith("never")

    wrong = await rojak(served, "approvals", "approve", first, "--arguments", "[1]")
    assert (wrong.code, "JSON object" in wrong.stderr) == (2, True)
    done = await rojak(served, "approvals", "approve", first, "--arguments", '{"amount": 4}')
    assert (done.code, done.stdout) == (0, f"approved pay ({rows[0]['call']})\n")
    result: Any = await triage.get_result(first)
    assert result.messages[-1].text == "paid 4"
    again = await rojak(served, "approvals", "approve", first)
    assert (again.code, "nothing waits for approval" in again.stderr) == (8, True)

    several = await rojak(served, "approvals", "reject", second)
    assert (several.code, "several calls wait" in several.stderr) == (2, True)
    unknown = await rojak(served, "approvals", "reject", second, "call_x")
    assert (unknown.code, "Waiting now:" in unknown.stderr) == (8, True)
    await rojak(served, "approvals", "reject", second, rows[1]["call"], "--reason", "too dear")
    await rojak(served, "approvals", "approve", second, "--all")
    result = await triage.get_result(second)
    assert "too dear" in result.messages[-1].text
    assert result.messages[-1].text.endswith("paid 2")
    await until_listed(served, "approvals", "list", "-n", namespace, count=0)


async def test_what_waits_in_a_session_that_works_for_another_one_is_decided_there(
    served: str, namespace: str, triage: Rojak
) -> None:
    session = f"{namespace}-c"
    await say(triage, session, 'call ask_billing {"message": "call pay\\necho"}\necho')
    (row,) = (await until_listed(served, "approvals", "list", "-n", namespace, count=1)).data
    assert (row["session"], row["agent"], row["tool"]) == (session, "billing", "pay")
    sessions = (await until_listed(served, "sessions", "list", "-n", namespace, count=2)).data
    assert {entry["caller"] for entry in sessions} == {None, session}
    assert (await rojak(served, "approvals", "approve", session)).code == 0
    result: Any = await triage.get_result(session)
    assert result.messages[-1].text == "paid 1"


async def test_a_namespace_without_our_search_attributes_is_said_to_be_one(temporal_client: Client) -> None:
    name = f"bare-{uuid.uuid4().hex[:8]}"
    retention = Duration()
    retention.FromTimedelta(timedelta(days=1))
    await temporal_client.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=retention)
    )
    address = temporal_client.service_client.config.target_host
    flags = ["--temporal-namespace", name]
    async with asyncio.timeout(60):
        while (outcome := await rojak(address, "sessions", "list", *flags)).code != 0:
            assert "nowhere" not in outcome.stderr
    outcome = await rojak(address, "sessions", "list", "--agent", "triage", *flags)
    assert outcome.code == 1
    assert "temporal operator search-attribute create --name RojakAgent --type Keyword" in outcome.stderr
    outcome = await rojak(address, "approvals", "list", *flags)
    assert outcome.code == 0
    assert outcome.stderr.startswith("note: every session is asked")
    assert outcome.stderr.endswith("nothing waits for approval\n")
