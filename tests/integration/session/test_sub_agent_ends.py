"""Agents that are tools end with whoever called them, and whoever called them goes on without them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle

from rojak import AgentTool, ResumeRequest, Rojak
from rojak.agents import OpenAIAgent
from rojak.session.state import Settings, Task
from rojak.testing import ModelServer
from rojak.types import ConversationMessage
from rojak.types.errors import RunCancelledError
from rojak.worker import RojakWorker
from rojak.workflows import contracts
from rojak.workflows.contracts import SessionInput
from tests.integration.session.conftest import answer, task
from tests.integration.session.sub_agents import (
    approve,
    ask,
    call,
    lead,
    pending_names,
    status,
    until,
    worker_agent,
)


async def test_the_caller_rolls_over_while_an_agent_waits(
    rojak: Rojak, worker: RojakWorker, session_id: str, model: ModelServer
) -> None:
    rolling = Rojak(rojak.client, rojak.task_queue, roll_over_after_events=25)
    gate = model.when(system="You are W", last_user="busy").hold()
    calls = call(ask("call pay", "call pay", "echo"), ask("busy"), ask("call add", "call pay", "echo", to="b"))
    first = await rolling.run(id=session_id, type="persistent", task=task(*["call add"] * 3, calls, "echo", agent=lead))
    response = first
    asks = 0
    while isinstance(response.result, ResumeRequest):
        asks += 1
        if asks == 2:
            gate.release()
        response = await rolling.run(id=session_id, resume=approve(response.result))
    assert asks == 3
    assert answer(response.result).endswith("paid 1 | paid 1 | heard: busy | sum is 1 | paid 1")
    runs = [run async for run in rojak.client.list_workflows(f"WorkflowId = '{session_id}'")]
    assert len(runs) > 1


async def test_cancelling_the_caller_cancels_them_all(
    rojak: Rojak, worker: RojakWorker, session_id: str, model: ModelServer
) -> None:
    model.when(system="You are W", last_user="forever").hold()
    script = task(call(ask("call pay"), ask(call(ask("forever")), to="b"), ask("forever")), agent=boss_of_three())
    run = asyncio.create_task(rojak.run(id=session_id, type="persistent", task=script))
    assert isinstance((await run).result, ResumeRequest)
    waiting = asyncio.create_task(rojak.get_result(session_id, (await run).task_id))
    await waiting
    await model.wait_for_requests(4)
    await rojak.cancel(session_id)
    children = [f"{session_id}/1.1", f"{session_id}/1.2", f"{session_id}/1.3", f"{session_id}/1.2/1.1"]

    async def all_cancelled() -> bool:
        return all([await status(rojak, child) == WorkflowExecutionStatus.CANCELED for child in children])

    await until(all_cancelled)


def boss_of_three() -> OpenAIAgent:
    return OpenAIAgent(name="Boss", tools=[AgentTool(worker_agent, "Works"), AgentTool(lead, "Leads", name="b")])


async def test_a_caller_that_waits_is_told_of_the_cancellation(
    rojak: Rojak, worker: RojakWorker, session_id: str, model: ModelServer
) -> None:
    model.when(system="You are W", last_user="forever").hold()
    run = asyncio.create_task(rojak.run(id=session_id, type="persistent", task=task(call(ask("forever")), agent=lead)))
    await model.wait_for_requests(2)
    await rojak.cancel(session_id)
    with pytest.raises(RunCancelledError):
        await run


async def test_an_agent_that_somebody_cancels_is_an_error_to_the_model(
    rojak: Rojak, worker: RojakWorker, session_id: str, model: ModelServer
) -> None:
    model.when(system="You are W", last_user="forever").hold()
    run = asyncio.create_task(rojak.run(id=session_id, task=task(call(ask("forever")), "echo", agent=lead)))
    await model.wait_for_requests(2)
    await rojak.cancel(f"{session_id}/1.1")
    assert answer((await run).result) == "Error: Worker failed: CancelledError: it was cancelled"


async def test_an_agent_that_takes_too_long_is_stopped(
    rojak: Rojak, worker: RojakWorker, session_id: str, model: ModelServer
) -> None:
    model.when(system="You are W", last_user="forever").hold()
    agent = OpenAIAgent(name="Lead", tools=[AgentTool(worker_agent, "Works", timeout_in_seconds=1)])
    response = await rojak.run(id=session_id, task=task(call(ask("forever"), ask("say b")), "echo", agent=agent))
    assert answer(response.result).startswith("Error: Worker was not done in time")
    assert answer(response.result).endswith(" | b")

    async def cancelled() -> bool:
        return await status(rojak, f"{session_id}/1.1") == WorkflowExecutionStatus.CANCELED

    await until(cancelled)


async def test_a_run_that_is_out_of_time_stops_its_agents(
    rojak: Rojak, worker: RojakWorker, session_id: str, model: ModelServer
) -> None:
    model.when(system="You are W", last_user="forever").hold()
    response = await rojak.run(id=session_id, task=task(call(ask("forever")), agent=lead), run_timeout=1.5)
    assert response.result.limit is not None

    async def cancelled() -> bool:
        return await status(rojak, f"{session_id}/1.1") == WorkflowExecutionStatus.CANCELED

    await until(cancelled)


async def test_a_child_whose_caller_was_terminated_ends(rojak: Rojak, worker: RojakWorker, session_id: str) -> None:
    handle = await start_with_checks(rojak, session_id, call(ask("call pay")))
    child = f"{session_id}/1.1"

    async def asked() -> bool:
        return bool(await pending_names(rojak, session_id))

    await until(asked)
    await handle.terminate("test")

    async def ended() -> bool:
        return await status(rojak, child) == WorkflowExecutionStatus.FAILED

    await until(ended)


async def test_a_caller_notices_a_terminated_child_after_rolling_over(
    rojak: Rojak, worker: RojakWorker, session_id: str
) -> None:
    # A stateless run rolls over at its first approval, and Temporal tells the new run nothing of its children.
    handle = await start_with_checks(rojak, session_id, call(ask("call pay")), "echo")
    child = rojak.client.get_workflow_handle(f"{session_id}/1.1")

    async def asked() -> bool:
        return bool(await pending_names(rojak, session_id))

    await until(asked)

    async def rolled_over() -> bool:
        return (await rojak.client.get_workflow_handle(session_id).describe()).run_id != handle.first_execution_run_id

    await until(rolled_over)
    await child.terminate("test")

    async def answered() -> bool:
        return not isinstance(await rojak.get_result(session_id), ResumeRequest)

    await until(answered)
    assert "its session has ended" in answer(await rojak.get_result(session_id))


async def start_with_checks(rojak: Rojak, session_id: str, *lines: str) -> WorkflowHandle[Any, Any]:
    """A run that looks after its children, and they after it, each second."""
    message = ConversationMessage(role="user", content="\n".join(lines))
    start = SessionInput(
        type="stateless",
        task=Task(id="t", messages=[message], agent=lead),
        settings=Settings(),
        check_interval_in_seconds=1,
    )
    return await rojak.client.start_workflow(contracts.WORKFLOW_NAME, start, id=session_id, task_queue=rojak.task_queue)
