"""What a worker's log says when a session is cancelled: nothing that looks like a failure."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from temporalio.client import Client

from rojak import Rojak
from rojak.agents import OpenAIAgent, OpenAIAgentActivities, OpenAIAgentOptions
from rojak.testing import ModelServer
from rojak.types.errors import RunCancelledError
from tests.integration.session.conftest import running, task

pytestmark = pytest.mark.timeout(90)


async def until_activity_ends(log: pytest.LogCaptureFixture) -> None:
    """Wait until the worker has said of an activity how it ended, which it does in each case."""
    async with asyncio.timeout(40):
        while not any(record.getMessage().startswith("Completing") for record in log.records):
            await asyncio.sleep(0.02)


def complaints(log: pytest.LogCaptureFixture) -> list[str]:
    """What a person would see of it in a log as usual, and every traceback."""
    return [
        record.getMessage()
        for record in log.records
        if record.levelno >= logging.WARNING
        and (record.exc_info or record.name.startswith(("rojak", "temporalio.activity")))
    ]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The log, also with what the SDK tells only those who look for mistakes."""
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.DEBUG, logger="temporalio.activity")
    return caplog


@pytest.mark.usefixtures("worker")
async def test_a_model_call_that_is_cancelled_is_no_failure(
    rojak: Rojak, model: ModelServer, session_id: str, log: pytest.LogCaptureFixture
) -> None:
    gate = model.when(last_user="wait").hold()
    work = asyncio.ensure_future(rojak.run(session_id, type="persistent", task=task("wait")))
    try:
        await model.wait_for_requests(1)
        await rojak.cancel(session_id)
        with pytest.raises(RunCancelledError):
            await work
        await until_activity_ends(log)
        assert complaints(log) == []
    finally:
        gate.release()


async def test_a_tool_call_that_is_cancelled_is_no_failure(
    rojak: Rojak, model: ModelServer, session_id: str, log: pytest.LogCaptureFixture, worker_options: dict[str, Any]
) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def wait_for_ever() -> str:
        """Wait."""
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return ""

    agent = OpenAIAgent(name="Patient", functions=["wait_for_ever"])
    options = OpenAIAgentOptions(api_key="test", base_url=model.base_url, all_functions=[wait_for_ever])
    async with running(rojak, OpenAIAgentActivities(options), **worker_options), asyncio.timeout(60):
        work = asyncio.ensure_future(rojak.run(session_id, task=task("call wait_for_ever", agent=agent)))
        await began.wait()
        await rojak.cancel(session_id)
        with pytest.raises(RunCancelledError):
            await work
        await ended.wait()
        await until_activity_ends(log)
        assert complaints(log) == []


@pytest.mark.usefixtures("worker")
async def test_a_session_that_is_terminated_leaves_no_traceback_either(
    rojak: Rojak, temporal_client: Client, model: ModelServer, session_id: str, log: pytest.LogCaptureFixture
) -> None:
    gate = model.when(last_user="wait").hold()
    work = asyncio.ensure_future(rojak.run(session_id, task=task("wait")))
    try:
        await model.wait_for_requests(1)
        await temporal_client.get_workflow_handle(session_id).terminate()
        with pytest.raises(RunCancelledError, match="terminated"):
            await work
        await until_activity_ends(log)
        assert complaints(log) == []
    finally:
        gate.release()
