"""A worker is killed while agents work for agents: the whole family goes on where it was."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from temporalio.client import Client

from rojak import AgentTool, Interrupt, ResumeRequest, ResumeResponse, Rojak
from rojak.agents import OpenAIAgent
from rojak.testing import ModelServer
from tests.integration.durability.processes import crew
from tests.integration.session.conftest import answer, task
from tests.integration.session.script import follow_script

pytestmark = [pytest.mark.durability, pytest.mark.timeout(120)]

clerk = OpenAIAgent(
    name="Clerk", instructions="You are C.", functions=["add", "pay"], interrupts=[Interrupt("pay", question="Pay?")]
)
lead = OpenAIAgent(name="Lead", instructions="You lead.", tools=[AgentTool(clerk, "Does one thing")])


def ask(*lines: str) -> str:
    return f"clerk {json.dumps({'message': chr(10).join(lines)})}"


@pytest.fixture
def model(model_server: ModelServer) -> ModelServer:
    model_server.otherwise().reply(follow_script)
    return model_server


@pytest.mark.parametrize("kind", ["stateless", "persistent"])
async def test_killed_while_a_sub_agent_waits_for_approval(
    temporal_address: str, temporal_client: Client, task_queue: str, model: ModelServer, kind: Any
) -> None:
    rojak = Rojak(temporal_client, task_queue)
    async with crew(temporal_address, task_queue, model.base_url) as workers:
        first = await workers.hire()
        script = task(f"call {ask('call add', 'call pay', 'echo')}; {ask('say there')}", "echo", agent=lead)
        response = await rojak.run(id=task_queue, type=kind, task=script)
        assert isinstance(response.result, ResumeRequest)
        await first.kill()
        await workers.hire()
        # A client that knows nothing of the first one.
        other = Rojak(await Client.connect(temporal_address), task_queue)
        (request,) = await other.get_pending_approvals(task_queue)
        assert (request.question, request.agent_name) == ("Pay?", "Clerk")
        final = await other.run(id=task_queue, resume=ResumeResponse(action="approve", tool_id=request.tool_id))
        assert answer(final.result) == "sum is 1 | paid 1 | there"
        # What was done before the worker died was not done again.
        assert len([r for r in model.requests if "You are C" in r.conversation.system]) == 4


async def test_killed_while_one_sub_agent_waits_and_another_works(
    temporal_address: str, temporal_client: Client, task_queue: str, model: ModelServer
) -> None:
    rojak = Rojak(temporal_client, task_queue, roll_over_after_events=20)
    gate = model.when(system="You are C", last_user="think", last_role="user").hold()
    async with crew(temporal_address, task_queue, model.base_url) as workers:
        first = await workers.hire()
        script = task(f"call {ask('call pay', 'echo')}; {ask('think')}", "echo", agent=lead)
        response = await rojak.run(id=task_queue, type="persistent", task=script)
        assert isinstance(response.result, ResumeRequest)
        await model.wait_for_requests(3)
        await first.kill()
        resume = ResumeResponse(action="reject", tool_id=response.result.tool_id, content="not now")
        deciding = asyncio.create_task(rojak.run(id=task_queue, resume=resume))
        await workers.hire()
        gate.release()
        first_answer, second_answer = answer((await deciding).result).split(" | ")
        assert first_answer.endswith("Feedback: not now")
        assert second_answer == "heard: think"


@pytest.mark.timeout(240)
async def test_killed_again_and_again_while_agents_of_agents_work_and_wait(
    temporal_address: str, temporal_client: Client, task_queue: str, model: ModelServer
) -> None:
    """Everybody rolls over every few steps, so that kills meet roll-overs on both ends."""
    rojak = Rojak(temporal_client, task_queue, roll_over_after_events=18)
    boss = OpenAIAgent(name="Boss", tools=[AgentTool(lead, "Leads"), AgentTool(clerk, "Does one thing")])
    inner = f"call {nested(ask('call pay', 'call pay', 'echo'))}; {nested(ask('say there'))}"
    message = json.dumps({"message": f"{inner}\necho"}).replace("; ", r"\u003b ")
    script = task(f"call lead {message}; {ask('call add', 'call pay', 'echo')}", "echo", agent=boss)
    async with crew(temporal_address, task_queue, model.base_url) as workers:
        # The second one replays each workflow from its start each time.
        crew_of_two = [await workers.hire(), await workers.hire(max_cached_workflows=0)]
        for _ in range(2):
            response = await rojak.run(id=task_queue, type="persistent", task=script)
            decisions = 0
            while isinstance(response.result, ResumeRequest):
                resume = ResumeResponse(action="approve", tool_id=response.result.tool_id)
                deciding = asyncio.create_task(rojak.run(id=task_queue, resume=resume))
                await crew_of_two[decisions % 2].kill()
                crew_of_two[decisions % 2] = await workers.hire(max_cached_workflows=0 if decisions % 2 else 100)
                response = await deciding
                decisions += 1
            assert decisions == 3
            assert answer(response.result).endswith("paid 1 | paid 1 | there | sum is 1 | paid 1")


def nested(line: str) -> str:
    """A call within a script that is itself in a call's arguments."""
    return line.replace("; ", r"\u003b ")
