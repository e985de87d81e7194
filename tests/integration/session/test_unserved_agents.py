"""An agent that a session waits for and that nobody serves: whoever waits is told, and nothing is lost."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from rojak import Rojak
from rojak.agents import AgentRef, AgentTool, HandOffTool, OpenAIAgent, OpenAIAgentActivities
from rojak.client import Unserved
from rojak.testing import ModelServer
from rojak.types import TaskParams
from rojak.types.errors import NoWorkerError
from rojak.worker import RojakWorker
from tests.integration.session.conftest import answer, task

pytestmark = pytest.mark.timeout(90)


def lead_of_tool(queue: str) -> OpenAIAgent:
    return OpenAIAgent(name="Lead", tools=[AgentTool(AgentRef("Billing", task_queue=queue), "Knows bills")])


def lead_of_handoff(queue: str) -> OpenAIAgent:
    return OpenAIAgent(name="Lead", tools=[HandOffTool(AgentRef("Billing", task_queue=queue), "Knows bills")])


def boss_of_lead(queue: str) -> OpenAIAgent:
    """The agent that nobody serves is one that a sub-agent hands over to."""
    return OpenAIAgent(name="Boss", tools=[AgentTool(lead_of_handoff(queue), "Leads")])


def calls(name: str, message: str) -> str:
    return f"call {name} {json.dumps({'message': message})}"


WAYS = {
    "handoff": (lead_of_handoff, ["call transfer_to_billing", "say from billing"]),
    "tool": (lead_of_tool, [calls("billing", "say from billing"), "echo"]),
    "nested": (boss_of_lead, [calls("lead", "call transfer_to_billing\nsay from billing"), "echo"]),
}


@pytest.fixture
def queue(rojak: Rojak) -> str:
    return f"{rojak.task_queue}.billing"


@pytest.fixture
def impatient(rojak: Rojak) -> Rojak:
    return Rojak(rojak.client, rojak.task_queue, no_worker_timeout=1)


@pytest.mark.parametrize("way", WAYS)
async def test_who_waits_is_told_and_the_run_goes_on_with_a_worker(
    way: str,
    rojak: Rojak,
    impatient: Rojak,
    activities: OpenAIAgentActivities,
    worker: RojakWorker,
    session_id: str,
    queue: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    make, script = WAYS[way]
    said = f"no worker polls task queue '{queue}', where agent 'Billing' is to work"
    with pytest.raises(NoWorkerError) as raised:
        await impatient.run(id=session_id, type="persistent", task=task(*script, agent=make(queue)))
    assert str(raised.value).startswith(f"{said} (for 1 s). The run waits for it")
    assert caplog.messages.count(f"{said}; waiting for one") == 1
    with pytest.raises(NoWorkerError, match="'Billing'"):
        await impatient.get_result(session_id)
    assert await rojak.find_unserved(session_id) == [Unserved(queue, "Billing")]
    billing = OpenAIAgent(name="Billing")
    async with Rojak(rojak.client, queue).create_worker([activities], agents=[billing]):
        assert answer(await rojak.get_result(session_id)) == "from billing"
        assert await rojak.find_unserved(session_id) == []


async def test_who_watches_is_told_too(impatient: Rojak, worker: RojakWorker, session_id: str, queue: str) -> None:
    make, script = WAYS["handoff"]
    seen: list[str] = []

    async def watch() -> None:
        async for event in impatient.stream(id=session_id, task=task(*script, agent=make(queue))):
            seen.append(type(event).__name__)  # noqa: PERF401 - what was seen before the error counts

    with pytest.raises(NoWorkerError, match="'Billing'"):
        await watch()
    assert seen[-1] == "HandedOff"


async def test_the_first_agent_may_be_the_one(
    impatient: Rojak, worker: RojakWorker, session_id: str, queue: str
) -> None:
    message = {"role": "user", "content": "say hi"}
    ask = TaskParams(agent=AgentRef("Billing", task_queue=queue), messages=[message])
    with pytest.raises(NoWorkerError, match=f"'{queue}', where agent 'Billing' is to work"):
        await impatient.run(id=session_id, task=ask)


async def test_agents_that_work_are_not_missing(
    rojak: Rojak,
    activities: OpenAIAgentActivities,
    worker: RojakWorker,
    model: ModelServer,
    session_id: str,
    queue: str,
) -> None:
    gate = model.when(last_user=re.compile(r"\Await\Z")).hold()
    make, _ = WAYS["tool"]
    billing = OpenAIAgent(name="Billing")
    assert await rojak.find_unserved(session_id) == []
    async with Rojak(rojak.client, queue).create_worker([activities], agents=[billing]):
        run = asyncio.create_task(
            rojak.run(id=session_id, type="persistent", task=task(calls("billing", "wait"), "echo", agent=make(queue)))
        )
        await model.wait_for_requests(2)
        assert await rojak.find_unserved(session_id) == []
        gate.release()
        assert answer((await run).result) == "heard: wait"
        assert await rojak.find_unserved(session_id) == []
