"""A worker is killed while it has an answer corrected, and while it has old messages summarised."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import BaseModel
from temporalio.client import Client

from rojak import Compaction, Rojak
from rojak.agents import OpenAIAgent
from rojak.session.compaction import PREFIX
from rojak.testing import ModelServer
from rojak.types import OrchestratorResponse, TaskParams
from tests.integration.durability.processes import crew
from tests.integration.session.conftest import task
from tests.integration.session.script import follow_script

pytestmark = [pytest.mark.durability, pytest.mark.timeout(120)]


class Weather(BaseModel):
    city: str
    celsius: float


async def test_killed_while_an_answer_is_corrected(
    temporal_address: str, temporal_client: Client, task_queue: str, model_server: ModelServer
) -> None:
    rojak, session_id = Rojak(temporal_client, task_queue), f"session-{task_queue}"
    good = Weather(city="Oslo", celsius=3.5)
    gate = model_server.when(last_user="It is no JSON").reply(good.model_dump_json()).hold()
    model_server.when(last_user="weather").reply("It is cold.")
    asked = TaskParams(agent=OpenAIAgent(output_type=Weather), messages=[{"role": "user", "content": "weather"}])
    async with crew(temporal_address, task_queue, model_server.base_url) as workers:
        first = await workers.hire()
        run = asyncio.create_task(rojak.run(id=session_id, type="persistent", task=asked))
        await model_server.wait_for_requests(2)
        await first.kill()
        gate.release()
        await workers.hire()
        result = (await run).result
    assert isinstance(result, OrchestratorResponse)
    assert result.output == good
    # The wrong answer is not asked for again, and the correction is said once.
    assert [message.role[0] for message in result.messages] == ["u", "a", "u", "a"]
    assert len(model_server.requests) == 3


async def test_killed_while_old_messages_are_summarised(
    temporal_address: str, temporal_client: Client, task_queue: str, model_server: ModelServer
) -> None:
    rojak, session_id = Rojak(temporal_client, task_queue), f"session-{task_queue}"
    gate = model_server.when(last_user="<conversation>").reply("They counted.").hold()
    model_server.otherwise().reply(follow_script)
    policy = Compaction(trigger_messages=3, keep_last=1)
    async with crew(temporal_address, task_queue, model_server.base_url) as workers:
        first = await workers.hire()
        for number in range(2):
            say = task(f"say {number}")
            await rojak.run(id=session_id, type="persistent", task=say, compaction=policy)
        # Two turns and the summary, which begins when the second is answered.
        await model_server.wait_for_requests(3)
        await first.kill()
        gate.release()
        await workers.hire()
        response = await rojak.run(id=session_id, type="persistent", task=task("count", agent=None))
    assert isinstance(response.result, OrchestratorResponse)
    texts = [message.text for message in response.result.messages]
    assert texts[:3] == [f"{PREFIX}They counted.", "1", "count"]
    # Asked again by the second worker, once, before the next turn.
    firsts = [request.conversation.last.text.partition("\n")[0] for request in model_server.requests[:5]]
    assert firsts == ["say 0", "say 1", "<conversation>", "<conversation>", "count"]
