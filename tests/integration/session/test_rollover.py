"""Sessions that outlive one run of their workflow: nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio
import random

import pytest

from rojak import Rojak
from rojak.agents import OpenAIAgentActivities
from rojak.types import OrchestratorResponse, ResumeRequest, ResumeResponse, TaskParams
from tests.integration.session.conftest import answer, task, until_session_knows
from tests.integration.session.team import agent_a

pytestmark = pytest.mark.timeout(120)


async def count_runs(rojak: Rojak, session_id: str) -> int:
    return len([execution async for execution in rojak.client.list_workflows(f"WorkflowId = '{session_id}'")])


@pytest.mark.parametrize("cache", [{}, {"max_cached_workflows": 0}], ids=["cached", "replayed"])
async def test_concurrent_callers_get_each_answer_once_over_many_roll_overs(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str, cache: dict[str, int]
) -> None:
    rolling = Rojak(rojak.client, rojak.task_queue, roll_over_after_events=120)
    answers: dict[int, str] = {}
    chance = random.Random(7)

    async def caller(number: int) -> None:
        for index in range(number, 60, 6):
            script = [f"say answer {index}", f"call add; add\nsay answer {index}", f"call pay\nsay answer {index}"]
            params = TaskParams(agent=agent_a, messages=[{"role": "user", "content": script[index % 3]}])
            response = await rolling.run(id=session_id, type="persistent", task=params)
            result = response.result
            while isinstance(result, ResumeRequest):
                action = chance.choice(["approve", "reject"])
                resume = ResumeResponse(action=action, tool_id=result.tool_id)
                result = (await rolling.run(id=session_id, resume=resume)).result
            assert isinstance(result, OrchestratorResponse)
            answers[index] = answer(result)

    async with rolling.create_worker([activities], **cache):
        await asyncio.gather(*(caller(number) for number in range(6)))
        assert answers == {index: f"answer {index}" for index in range(60)}
        config = await rolling.get_config(session_id)
        # 20 parallel calls of two additions each, of which one counts: they saw the same sum.
        assert config.context_variables == {"sum": 20}
        assert await count_runs(rolling, session_id) > 5


async def test_a_turn_rolls_over_between_its_steps(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str
) -> None:
    rolling = Rojak(rojak.client, rojak.task_queue, roll_over_after_events=40)
    script = task(*["call add"] * 20, "echo")
    async with rolling.create_worker([activities]):
        response = await rolling.run(id=session_id, task=script)
        assert response.result.context_variables == {"sum": 20}
        assert len(response.result.messages) == 42
        assert await rolling.get_result(session_id) == response.result
        assert await count_runs(rolling, session_id) > 3


async def test_a_session_that_waits_for_approval_rolls_over_with_its_request(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str
) -> None:
    rolling = Rojak(rojak.client, rojak.task_queue, roll_over_after_events=20)
    async with rolling.create_worker([activities]):
        response = await rolling.run(id=session_id, type="persistent", task=task("call pay", "echo"))
        assert isinstance(response.result, ResumeRequest)
        queued = []
        for index in range(8):
            params = task(f"say {index}")
            asking = rolling.run(id=session_id, type="persistent", task=params, task_id=f"q{index}")
            queued.append(asyncio.create_task(asking))
            # One after another: the workflow looks at the length of its history when something happens.
            await until_session_knows(rolling, session_id, f"q{index}")
        assert await count_runs(rolling, session_id) > 1
        (request,) = await rolling.get_pending_approvals(session_id)
        assert request == response.result
        approve = ResumeResponse(action="approve", tool_id=request.tool_id)
        assert answer((await rolling.run(id=session_id, resume=approve)).result) == "paid 1"
        results = [answer((await waiting).result) for waiting in queued]
        assert results == [str(index) for index in range(8)]


async def test_a_reply_is_found_after_the_roll_over(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str
) -> None:
    rolling = Rojak(rojak.client, rojak.task_queue, roll_over_after_events=20)
    async with rolling.create_worker([activities]):
        responses = [
            await rolling.run(id=session_id, type="persistent", task=task(f"say {index}")) for index in range(6)
        ]
        for index, response in enumerate(responses):
            assert answer(await rolling.get_result(session_id, response.task_id)) == str(index)
            again = await rolling.run(
                id=session_id, type="persistent", task=task("say changed"), task_id=response.task_id
            )
            assert answer(again.result) == str(index)
