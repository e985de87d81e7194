"""Runs at set times."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from rojak import Rojak, ScheduleIntervalSpec, ScheduleSpec
from rojak.testing import ModelServer
from rojak.types.errors import ConfigurationError, RunFailedError
from tests.integration.session.conftest import answer, task

pytestmark = pytest.mark.usefixtures("worker")

HOURLY = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(hours=1))])


async def runs_of(rojak: Rojak, schedule_id: str, status: str) -> list[str]:
    """Ids of the runs; visibility lags, so it is asked until there is one."""
    async with asyncio.timeout(20):
        while True:
            found = [run async for run in rojak.list_scheduled_runs(schedule_id, statuses=[status])]
            if found:
                return found
            await asyncio.sleep(0.1)


async def test_a_scheduled_run_has_a_result_of_its_own(rojak: Rojak, session_id: str) -> None:
    handle = await rojak.create_schedule(
        schedule_id=session_id,
        schedule_spec=HOURLY,
        task=task("call add", "echo", context_variables={"sum": 41}),
        max_turns=10,
    )
    try:
        await handle.trigger()
        (run,) = await runs_of(rojak, session_id, "Completed")
        assert answer(await rojak.get_result(run)) == "sum is 42"
        assert answer(await rojak.get_run_result(run)) == "sum is 42"
    finally:
        await handle.delete()


async def test_a_scheduled_run_that_fails_is_failed(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    model.when(last_user="refused").error(400, "no")
    handle = await rojak.create_schedule(schedule_id=session_id, schedule_spec=HOURLY, task=task("refused"))
    try:
        await handle.trigger()
        (run,) = await runs_of(rojak, session_id, "Failed")
        with pytest.raises(RunFailedError, match="BadRequestError"):
            await rojak.get_result(run)
    finally:
        await handle.delete()


async def test_a_second_schedule_of_one_id_is_an_error(rojak: Rojak, session_id: str) -> None:
    handle = await rojak.create_schedule(schedule_id=session_id, schedule_spec=HOURLY, task=task("say Hi"))
    try:
        with pytest.raises(ConfigurationError, match=session_id):
            await rojak.create_schedule(schedule_id=session_id, schedule_spec=HOURLY, task=task("say Hi"))
    finally:
        await handle.delete()


async def test_an_unknown_status_is_an_error_that_lists_them(rojak: Rojak, session_id: str) -> None:
    with pytest.raises(ConfigurationError, match="'Done'.*Completed"):
        _ = [run async for run in rojak.list_scheduled_runs(session_id, statuses=["Done"])]  # type: ignore[list-item]  # the point
