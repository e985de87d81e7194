"""What waits for a human in an agent that is a tool: it is asked for above, and the decision goes down."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from rojak import AgentTool, Interrupt, ResumeRequest, ResumeResponse, Rojak
from rojak.agents import OpenAIAgent
from rojak.testing import ModelServer
from rojak.types.errors import ToolCallNotPendingError
from rojak.worker import RojakWorker
from tests.integration.session.conftest import answer, task
from tests.integration.session.sub_agents import (
    approve,
    ask,
    boss,
    call,
    lead,
    until,
)
from tests.integration.session.team import NAMES


async def test_a_decision_may_go_to_the_agents_own_session(rojak: Rojak, worker: RojakWorker, session_id: str) -> None:
    script = task(call(ask("call pay", "call pay", "echo")), "echo", agent=lead)
    response = await rojak.run(id=session_id, type="persistent", task=script)
    child = f"{session_id}/1.1"
    (inner,) = await rojak.get_pending_approvals(child)
    assert response.result.tool_id.endswith(f"/{inner.tool_id}")
    second = (await rojak.run(id=child, resume=approve(inner))).result

    async def follows() -> bool:
        return [r.tool_id.rpartition("/")[2] for r in await rojak.get_pending_approvals(session_id)] == [second.tool_id]

    await until(follows)
    await rojak.run(id=child, resume=approve(second))
    assert answer(await rojak.get_result(session_id, response.task_id)) == "paid 1 | paid 1"


@pytest.mark.parametrize("kind", ["stateless", "persistent"])
async def test_an_approval_bubbles_up_and_the_decision_goes_down(
    rojak: Rojak, worker: RojakWorker, session_id: str, kind: Any
) -> None:
    script = task(call(ask('call pay {"amount": 5}', "echo")), "echo", agent=lead)
    response = await rojak.run(id=session_id, type=kind, task=script)
    request = response.result
    assert isinstance(request, ResumeRequest)
    assert (request.tool_name, request.agent_name) == ("pay", "Worker")
    assert json.loads(request.tool_arguments) == {"amount": 5}
    assert request.task_id == response.task_id
    assert await rojak.get_pending_approvals(session_id) == [request]
    final = await rojak.run(id=session_id, resume=approve(request, tool_arguments={"amount": 7}))
    assert answer(final.result) == "paid 7"
    with pytest.raises((ToolCallNotPendingError, LookupError)):
        await rojak.run(id=session_id, resume=approve(request))


async def test_a_rejection_with_feedback_goes_down(rojak: Rojak, worker: RojakWorker, session_id: str) -> None:
    response = await rojak.run(id=session_id, task=task(call(ask("call pay", "echo")), "echo", agent=lead))
    resume = ResumeResponse(action="reject", tool_id=response.result.tool_id, content="too much")
    final = await rojak.run(id=session_id, resume=resume)
    assert "Feedback: too much" in answer(final.result)


@pytest.mark.parametrize("kind", ["stateless", "persistent"])
async def test_several_wait_and_are_decided_in_any_order(
    rojak: Rojak, worker: RojakWorker, session_id: str, kind: Any, model: ModelServer
) -> None:
    gate = model.when(system="You are W", last_user="busy").hold()
    calls = [ask(f'call pay {{"amount": {amount}}}', "echo") for amount in (1, 2, 3)]
    script = task(call(*calls, ask("busy", to="b")), "echo", agent=lead)
    response = await rojak.run(id=session_id, type=kind, task=script)
    assert isinstance(response.result, ResumeRequest)

    async def all_wait() -> bool:
        return len(await rojak.get_pending_approvals(session_id)) == 3

    await until(all_wait)
    by_amount = {
        json.loads(request.tool_arguments)["amount"]: request
        for request in await rojak.get_pending_approvals(session_id)
    }
    assert len({request.tool_id for request in by_amount.values()}) == 3
    # The fourth still works: others are decided on meanwhile.
    for amount in (3, 1):
        response = await rojak.run(id=session_id, resume=approve(by_amount[amount]))
        assert isinstance(response.result, ResumeRequest)
    last = asyncio.create_task(rojak.run(id=session_id, resume=approve(by_amount[2])))

    async def none_waits() -> bool:
        return not await rojak.get_pending_approvals(session_id)

    await until(none_waits)
    gate.release()
    assert answer((await last).result) == "paid 1 | paid 2 | paid 3 | heard: busy"


async def test_own_and_inner_approvals_together(rojak: Rojak, worker: RojakWorker, session_id: str) -> None:
    script = task(call("pay", ask("call pay", "call pay", "echo")), "echo", agent=lead)
    response = await rojak.run(id=session_id, type="persistent", task=script)
    asked = []
    while isinstance(response.result, ResumeRequest):
        asked.append(response.result.agent_name)
        response = await rojak.run(id=session_id, resume=approve(response.result))
    assert asked == ["Lead", "Worker", "Worker"]
    assert answer(response.result) == "paid 1 | paid 1 | paid 1"


async def test_nested_agents_bubble_through(rojak: Rojak, worker: RojakWorker, session_id: str) -> None:
    inner = call(ask("call pay", "echo"), ask('call pay {"amount": 2}', "echo"))
    response = await rojak.run(id=session_id, task=task(call(ask(inner, "echo", to="lead")), "echo", agent=boss))
    seen = []
    while isinstance(response.result, ResumeRequest):
        seen.append(response.result.tool_id)
        assert response.result.agent_name == "Worker"
        response = await rojak.run(id=session_id, resume=approve(response.result))
    assert answer(response.result) == "paid 1 | paid 2"
    assert all(tool_id.count("/") == 2 for tool_id in seen)


async def test_many_approvals_are_asked_a_part_at_a_time(rojak: Rojak, worker: RojakWorker, session_id: str) -> None:
    # So large a name that the caller has no room for all that waits.
    wordy = OpenAIAgent(name="W" * 3000, functions=NAMES, interrupts=[Interrupt("pay")])
    manager = OpenAIAgent(name="Manager", tools=[AgentTool(wordy, "Pays", name="b")])
    script = task(call(*[ask(call(*["pay"] * 8), "say paid", to="b")] * 2), "echo", agent=manager)
    response = await rojak.run(id=session_id, type="persistent", task=script)
    decided, most = set(), 0
    while isinstance(response.result, ResumeRequest):
        listed = await rojak.get_pending_approvals(session_id)
        most = max(most, len(listed))
        decided |= {request.tool_id for request in listed}
        response = await rojak.run(id=session_id, resume=approve(response.result))
    assert answer(response.result) == "paid | paid"
    assert len(decided) == 16
    assert most < 16


async def test_a_time_limit_of_an_inner_approval_acts_and_the_list_follows(
    rojak: Rojak, worker: RojakWorker, session_id: str
) -> None:
    quick = OpenAIAgent(name="Quick", functions=["pay"], interrupts=[Interrupt("pay", timeout_in_seconds=1)])
    agent = OpenAIAgent(name="Lead", tools=[AgentTool(quick, "Pays")])
    response = await rojak.run(
        id=session_id, type="persistent", task=task(call(ask("call pay", "echo", to="quick")), "echo", agent=agent)
    )
    assert response.result.expires_at is not None

    async def answered() -> bool:
        return not isinstance(await rojak.get_result(session_id, response.task_id), ResumeRequest)

    await until(answered)
    assert "Nobody approved" in answer(await rojak.get_result(session_id, response.task_id))
    assert await rojak.get_pending_approvals(session_id) == []
