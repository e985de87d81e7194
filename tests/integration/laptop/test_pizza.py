"""The whole pizza conversation from files alone, on a fresh clone and without a key."""

from __future__ import annotations

import asyncio
import os
import signal
import uuid
from typing import Any

import pytest
from temporalio.client import Client

from rojak import OrchestratorResponse, ResumeRequest, ResumeResponse, Rojak, TaskParams
from rojak.agents import AgentRef
from tests.integration.laptop.dev_process import PIZZA, DevProcess


class Customer:
    """Somebody who talks to the team."""

    def __init__(self, client: Client) -> None:
        self._rojak = Rojak(client, "default.triage")
        self._id = f"pizza-{uuid.uuid4().hex[:8]}"
        self._agent: AgentRef | None = AgentRef("triage")

    async def say(self, text: str) -> Any:
        task = TaskParams(agent=self._agent, messages=[{"role": "user", "content": text}])
        self._agent = None
        return (await self._rojak.run(id=self._id, type="persistent", task=task, timeout=90)).result

    async def decide(self, **decision: Any) -> Any:
        return (await self._rojak.run(id=self._id, resume=ResumeResponse(**decision), timeout=90)).result

    async def variables(self) -> dict[str, Any]:
        return (await self._rojak.get_config(self._id)).context_variables


@pytest.mark.durability
@pytest.mark.timeout(300)
async def test_the_pizza_team_takes_an_order_and_nothing_is_left_behind() -> None:
    with DevProcess("-f", PIZZA) as dev:
        address = dev.wait_for(r"Temporal runs at (\S+?),")[1]
        dev.wait_for("a scripted model plays the agents' part, from .*model_script.py")
        await asyncio.to_thread(dev.wait_for, "ready: rojak chat triage")
        client = await Client.connect(address)
        customer = Customer(client)

        assert "Welcome" in (await customer.say("Hi, I am hungry!")).messages[-1].text
        talking = asyncio.create_task(customer.say("Two large pepperoni and a tiramisu, please."))
        await asyncio.sleep(0.5)
        os.kill(dev.worker_pid(), signal.SIGKILL)
        assert "$34.60" in (await talking).messages[-1].text
        dev.wait_for(r"was killed \(SIGKILL\); another one starts")

        asked = await customer.say("That is all. I would like to pay.")
        assert isinstance(asked, ResumeRequest)
        assert asked.question == "Charge the customer's card?"
        await asyncio.to_thread(dev.wait_for, "1 waiting for approval")
        paid = await customer.decide(action="approve", tool_id=asked.tool_id, tool_arguments={"amount": 30.0})
        assert isinstance(paid, OrchestratorResponse)
        assert (await customer.variables())["paid"] == 30.0
        assert "enjoy" in (await customer.say("Five stars, that was quick!")).messages[-1].text

        await _wait_for_run(client, "default.oven-check")
        family = dev.family()
        assert len(family) >= 3
        assert dev.interrupt() == 0
        dev.wait_for("schedule default.oven-check: removed")
        dev.wait_for("stopped: nothing")
        assert dev.family() == []


async def _wait_for_run(client: Client, schedule_id: str) -> None:
    async with asyncio.timeout(60):
        while not (await client.get_schedule_handle(schedule_id).describe()).info.recent_actions:
            await asyncio.sleep(0.5)
