"""A schedule whose runs are one conversation: each gives its task to the session that they share."""

from __future__ import annotations

import asyncio

import pytest
from temporalio.client import Client, ScheduleOverlapPolicy

from rojak import ResumeResponse, Rojak
from rojak.agents import OpenAIAgentActivities
from rojak.client.facade import RunStatus
from rojak.testing import ModelServer
from rojak.types import ResumeRequest
from rojak.types.errors import (
    ConfigurationError,
    RunCancelledError,
    RunFailedError,
    RunTimeoutError,
    SessionNotFoundError,
)
from tests.integration.session.conftest import answer, task
from tests.integration.session.test_schedules import HOURLY

pytestmark = pytest.mark.usefixtures("worker")


async def runs_of(rojak: Rojak, schedule_id: str, status: RunStatus, count: int = 1, patience: float = 30) -> list[str]:
    """Ids of the runs; visibility lags, so it is asked until there are so many."""
    async with asyncio.timeout(patience):
        while True:
            found = [run async for run in rojak.list_scheduled_runs(schedule_id, statuses=[status])]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.1)


async def approvals_of(rojak: Rojak, session_id: str) -> list[ResumeRequest]:
    async with asyncio.timeout(30):
        while True:
            try:
                if found := await rojak.get_pending_approvals(session_id):
                    return found
            except SessionNotFoundError:
                pass  # it has not begun
            await asyncio.sleep(0.1)


async def test_each_run_is_the_next_turn_of_one_session(rojak: Rojak, session_id: str) -> None:
    context = task("call add", "echo", context_variables={"sum": 41})
    handle = await rojak.create_schedule(session_id, HOURLY, context, session="continued")
    try:
        for count in (1, 2):
            # The schedule may not have noticed yet that the run before has ended.
            await handle.trigger(overlap=ScheduleOverlapPolicy.BUFFER_ALL)
            runs = await runs_of(rojak, session_id, "Completed", count)
            assert answer(await rojak.get_result(runs[0])) == "sum is 42"
            # Temporal names a run by the second in which it was asked for.
            await asyncio.sleep(1.1)
        assert len(set(runs)) == 2
        config = await rojak.get_config(session_id)
        assert [message.role for message in config.messages].count("user") == 2
        # The session is one like others, also for those who want to talk about what the runs found.
        response = await rojak.run(session_id, type="persistent", task=task("say Hi"))
        assert answer(response.result) == "Hi"
    finally:
        await handle.delete()
        await rojak.cancel(session_id)


async def test_a_turn_that_fails_is_a_failed_run_and_the_session_goes_on(
    rojak: Rojak, model: ModelServer, session_id: str
) -> None:
    model.when(last_user="refused").error(400, "no")
    handle = await rojak.create_schedule(session_id, HOURLY, task("refused"), session="continued")
    try:
        await handle.trigger()
        (run,) = await runs_of(rojak, session_id, "Failed")
        with pytest.raises(RunFailedError, match="BadRequestError"):
            await rojak.get_result(run)
        response = await rojak.run(session_id, type="persistent", task=task("say Hi"))
        assert answer(response.result) == "Hi"
    finally:
        await handle.delete()
        await rojak.cancel(session_id)


async def test_a_run_lasts_as_long_as_its_turn_waits_for_a_human(rojak: Rojak, session_id: str) -> None:
    handle = await rojak.create_schedule(session_id, HOURLY, task("call pay", "echo"), session="continued")
    try:
        await handle.trigger()
        (request,) = await approvals_of(rojak, session_id)
        await runs_of(rojak, session_id, "Running")
        await rojak.run(session_id, resume=ResumeResponse(action="approve", tool_id=request.tool_id))
        await runs_of(rojak, session_id, "Completed")
    finally:
        await handle.delete()
        await rojak.cancel(session_id)


async def test_the_result_of_a_run_that_waits_for_a_human_is_what_it_waits_for_and_then_the_answer(
    rojak: Rojak, session_id: str
) -> None:
    handle = await rojak.create_schedule(session_id, HOURLY, task("call pay", "echo"), session="continued")
    try:
        await handle.trigger()
        (request,) = await approvals_of(rojak, session_id)
        (run,) = await runs_of(rojak, session_id, "Running")
        waits = await rojak.get_result(run)
        assert isinstance(waits, ResumeRequest)
        assert waits.tool_id == request.tool_id
        await rojak.run(session_id, resume=ResumeResponse(action="approve", tool_id=request.tool_id))
        during = await rojak.get_result(run)
        await runs_of(rojak, session_id, "Completed")
        # Whether it is asked for before or after the run has ended makes no difference.
        assert await rojak.get_result(run) == during
        assert answer(during) == "paid 1"
    finally:
        await handle.delete()
        await rojak.cancel(session_id)


async def test_the_result_of_a_run_is_waited_for_while_its_model_answers(
    rojak: Rojak, model: ModelServer, session_id: str
) -> None:
    gate = model.when(last_user="slowly").reply("at last").hold()
    handle = await rojak.create_schedule(session_id, HOURLY, task("slowly"), session="continued")
    try:
        await handle.trigger()
        (run,) = await runs_of(rojak, session_id, "Running")
        waiting = asyncio.ensure_future(rojak.get_result(run))
        with pytest.raises(RunTimeoutError):
            await rojak.get_result(run, timeout=1.0)
        assert not waiting.done()
        gate.release()
        assert answer(await waiting) == "at last"
    finally:
        await handle.delete()
        await rojak.cancel(session_id)


async def test_the_result_of_a_run_that_nobody_has_delivered_yet_is_waited_for(
    temporal_client: Client, task_queue: str, activities: OpenAIAgentActivities
) -> None:
    queue = f"later-{task_queue}"
    rojak = Rojak(temporal_client, queue)
    handle = await rojak.create_schedule(queue, HOURLY, task("say Hi"), session="continued")
    try:
        await handle.trigger()
        (run,) = await runs_of(rojak, queue, "Running")
        waiting = asyncio.ensure_future(rojak.get_result(run))
        # It has looked for the session, and found none.
        await asyncio.wait([waiting], timeout=1.0)
        async with rojak.create_worker([activities]):
            assert answer(await waiting) == "Hi"
            await rojak.cancel(queue)
    finally:
        await handle.delete()


async def test_the_result_of_a_run_whose_session_is_cancelled_meanwhile_says_so(rojak: Rojak, session_id: str) -> None:
    handle = await rojak.create_schedule(session_id, HOURLY, task("call pay", "echo"), session="continued")
    try:
        await handle.trigger()
        await approvals_of(rojak, session_id)
        (run,) = await runs_of(rojak, session_id, "Running")
        await rojak.cancel(session_id)
        with pytest.raises((RunCancelledError, RunFailedError), match="cancelled"):
            await rojak.get_result(run)
    finally:
        await handle.delete()


async def test_a_run_whose_session_is_cancelled_fails_and_asks_nobody_else(
    rojak: Rojak, model: ModelServer, session_id: str
) -> None:
    handle = await rojak.create_schedule(session_id, HOURLY, task("call pay", "echo"), session="continued")
    try:
        await handle.trigger()
        await approvals_of(rojak, session_id)
        seen = len(model.requests)
        await rojak.cancel(session_id)
        (run,) = await runs_of(rojak, session_id, "Failed")
        with pytest.raises(RunFailedError, match="cancelled"):
            await rojak.get_result(run)
        assert len(model.requests) == seen
    finally:
        await handle.delete()


async def test_a_session_that_is_neither_is_refused(rojak: Rojak, session_id: str) -> None:
    with pytest.raises(ConfigurationError, match="'new' or 'continued'"):
        await rojak.create_schedule(session_id, HOURLY, task("say Hi"), session="Continued")  # type: ignore[arg-type]  # the point
