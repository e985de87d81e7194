"""The worker that gives a schedule's task to a session is killed: the session has it once, and its reply is found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client, ScheduleHandle
from temporalio.service import RPCError, RPCStatusCode

from rojak import Rojak
from rojak.testing import ModelServer
from tests.integration.durability.processes import crew
from tests.integration.session.conftest import answer, task
from tests.integration.session.script import follow_script
from tests.integration.session.test_schedules import HOURLY

# A try that died with its worker is over after the 30 seconds that a try may take.
pytestmark = [pytest.mark.durability, pytest.mark.timeout(180)]


@pytest.fixture
def model(model_server: ModelServer) -> ModelServer:
    model_server.otherwise().reply(follow_script)
    return model_server


@pytest.fixture
def session_id(task_queue: str) -> str:
    return f"session-{task_queue}"


@pytest.fixture
async def schedule(temporal_client: Client, task_queue: str, session_id: str) -> AsyncIterator[ScheduleHandle]:
    """Of the task ``think``, for one session."""
    rojak = Rojak(temporal_client, task_queue)
    handle = await rojak.create_schedule(session_id, HOURLY, task("think"), session="continued")
    try:
        yield handle
    finally:
        await handle.delete()
        await rojak.cancel(session_id)


async def only_run(client: Client, schedule_id: str) -> str:
    """Id of the run that the schedule started."""
    async with asyncio.timeout(60):
        while True:
            actions = (await client.get_schedule_handle(schedule_id).describe()).info.recent_actions
            for started in actions:
                return started.action.workflow_id  # type: ignore[union-attr]  # it starts workflows
            await asyncio.sleep(0.1)


async def until_delivered(client: Client, run: str) -> None:
    """Until the first of the two activities is done."""
    async with asyncio.timeout(60):
        while True:
            history = await client.get_workflow_handle(run).fetch_history()
            if any(event.HasField("activity_task_completed_event_attributes") for event in history.events):
                return
            await asyncio.sleep(0.05)


async def until_asked(client: Client, session_id: str) -> None:
    """Until the session has the task."""
    async with asyncio.timeout(60):
        while True:
            try:
                history = await client.get_workflow_handle(session_id).fetch_history()
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
            else:
                if any(e.HasField("workflow_execution_update_accepted_event_attributes") for e in history.events):
                    return
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("moment", ["while the task is delivered", "between the two activities"])
async def test_killed(
    temporal_address: str,
    temporal_client: Client,
    task_queue: str,
    session_id: str,
    schedule: ScheduleHandle,
    model: ModelServer,
    moment: str,
) -> None:
    rojak = Rojak(temporal_client, task_queue)
    gate = model.when(last_user="think", last_role="user").hold()
    async with crew(temporal_address, task_queue, model.base_url) as workers:
        first = await workers.hire()
        await schedule.trigger()
        run = await only_run(temporal_client, schedule.id)
        if moment == "while the task is delivered":
            await until_asked(temporal_client, session_id)
        else:
            await until_delivered(temporal_client, run)
        await first.kill()
        gate.release()
        await workers.hire()
        async with asyncio.timeout(120):
            await temporal_client.get_workflow_handle(run).result()
        assert answer(await rojak.get_result(run)) == "heard: think"
        config = await rojak.get_config(session_id)
        assert [(message.role, message.text) for message in config.messages] == [
            ("user", "think"),
            ("assistant", "heard: think"),
        ]
