"""Limits of a run, from the caller's side."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import ScheduleSpec

from rojak import Rojak
from rojak.client import Done
from rojak.testing import ModelServer
from rojak.types import LimitReached, OrchestratorResponse, ResumeRequest, UpdateConfigParams
from rojak.types.errors import ConfigurationError, ToolCallNotPendingError
from rojak.types.session import ResumeResponse
from tests.integration.session.conftest import answer, roles, task
from tests.integration.session.team import agent_a

pytestmark = pytest.mark.usefixtures("worker")


def limit_of(result: Any) -> LimitReached:
    assert isinstance(result, OrchestratorResponse)
    assert result.limit is not None
    return result.limit


def results(result: Any) -> list[str]:
    assert isinstance(result, OrchestratorResponse)
    return [m.text for m in result.messages if m.role == "tool"]


async def test_max_turns_says_so(rojak: Rojak, session_id: str) -> None:
    response = await rojak.run(id=session_id, task=task("call add", "say never"), max_turns=2)
    assert limit_of(response.result) == LimitReached(kind="max_turns", limit=2, used=2)
    response = await rojak.run(id=f"{session_id}-2", task=task("say Hi"), max_turns=1)
    assert isinstance(response.result, OrchestratorResponse)
    assert response.result.limit is None


async def test_max_tool_calls_makes_the_first_ones(rojak: Rojak, session_id: str) -> None:
    agent = agent_a.model_copy(update={"parallel_tool_calls": False})
    script = task("call add; add", "call add; add; add", "say never", agent=agent)
    response = await rojak.run(id=session_id, type="persistent", task=script, max_tool_calls=3)
    assert limit_of(response.result) == LimitReached(kind="max_tool_calls", limit=3, used=3)
    assert response.result.context_variables == {"sum": 3}
    assert [text.partition(":")[0] for text in results(response.result)[2:]] == ["sum is 3", "Not made", "Not made"]
    # The session goes on, with a conversation that a provider takes, and under the same limit.
    response = await rojak.run(id=session_id, type="persistent", task=task("call add", "say Hi"))
    assert answer(response.result) == "Hi"
    assert (await rojak.get_config(session_id)).max_tool_calls == 3


async def test_max_tokens_total_stops_before_the_next_model_call(
    rojak: Rojak, model: ModelServer, session_id: str
) -> None:
    response = await rojak.run(id=session_id, task=task("call add", "say never"), max_tokens_total=1)
    limit = limit_of(response.result)
    assert (limit.kind, limit.limit) == ("max_tokens_total", 1)
    assert limit.used == response.result.usage.total_tokens
    assert len(model.requests) == 1
    assert results(response.result)[0].startswith("Not made")


async def test_run_timeout_ends_a_model_call(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    gate = model.when(last_user="wait").hold()
    try:
        response = await rojak.run(id=session_id, type="persistent", task=task("wait"), run_timeout=0.5)
        limit = limit_of(response.result)
        assert (limit.kind, limit.limit) == ("run_timeout", 0.5)
        assert limit.used >= 0.5
        assert roles(response.result) == ["u"]
        response = await rojak.run(
            id=session_id, type="persistent", task=task("say Hi"), run_timeout=float("inf"), timeout=30
        )
        assert answer(response.result) == "Hi"
        assert (await rojak.get_config(session_id)).run_timeout is None
    finally:
        gate.release()


async def test_run_timeout_ends_tool_calls_and_keeps_what_was_done(rojak: Rojak, session_id: str) -> None:
    script = task('call add; slow {"seconds": 30}; blocking {"seconds": 3}', "say never")
    response = await rojak.run(id=session_id, task=script, run_timeout=2)
    assert limit_of(response.result).kind == "run_timeout"
    added, slept, blocked = results(response.result)
    assert added == "sum is 1"
    assert slept.startswith("Broken off")
    assert blocked.startswith("Broken off")
    assert response.result.context_variables == {"sum": 1}


@pytest.mark.parametrize("kind", ["persistent", "stateless"])
async def test_run_timeout_ends_a_wait_for_approval(rojak: Rojak, session_id: str, kind: Any) -> None:
    response = await rojak.run(id=session_id, type=kind, task=task("call pay", "say never"), run_timeout=1)
    request = response.result
    assert isinstance(request, ResumeRequest)
    async with asyncio.timeout(20):
        while isinstance(result := await rojak.get_result(session_id, response.task_id), ResumeRequest):
            await asyncio.sleep(0.1)
    assert limit_of(result).kind == "run_timeout"
    assert results(result) == ["Not made: this run reached its limit run_timeout (1 s)."]
    if kind == "persistent":
        with pytest.raises(ToolCallNotPendingError):
            await rojak.run(id=session_id, resume=ResumeResponse(action="approve", tool_id=request.tool_id))


async def test_a_run_in_time_leaves_no_timer(rojak: Rojak, session_id: str) -> None:
    response = await rojak.run(id=session_id, type="persistent", task=task("call add", "say Hi"), run_timeout=600)
    assert answer(response.result) == "Hi"
    await rojak.update_config(session_id, UpdateConfigParams(run_timeout=900, max_tokens_total=5000))
    config = await rojak.get_config(session_id)
    assert (config.run_timeout, config.max_tokens_total) == (900, 5000)
    history = await rojak.client.get_workflow_handle(session_id).fetch_history()
    started = sum(e.HasField("timer_started_event_attributes") for e in history.events)
    cancelled = sum(e.HasField("timer_canceled_event_attributes") for e in history.events)
    assert started == cancelled == 1


async def test_a_run_with_a_time_out_can_be_cancelled(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    gate = model.when(last_user="wait").hold()
    try:
        run = asyncio.create_task(rojak.run(id=session_id, type="persistent", task=task("wait"), run_timeout=600))
        await model.wait_for_requests(1)
        await rojak.cancel(session_id)
        with pytest.raises(Exception, match="cancelled"):
            await run
        status = (await rojak.client.get_workflow_handle(session_id).describe()).status
        assert status is not None
        assert status.name == "CANCELED"
    finally:
        gate.release()


async def test_a_time_out_survives_roll_overs(rojak: Rojak, session_id: str) -> None:
    rolling = Rojak(rojak.client, rojak.task_queue, roll_over_after_events=20)
    script = task(*["call add"] * 6, 'call slow {"seconds": 60}', "say never")
    response = await rolling.run(id=session_id, type="persistent", task=script, run_timeout=5)
    assert limit_of(response.result).kind == "run_timeout"
    assert results(response.result)[-1].startswith("Broken off")


async def test_a_streamed_run_ends_with_the_limit(rojak: Rojak, session_id: str) -> None:
    events = [e async for e in rojak.stream(id=session_id, task=task("call add; add"), max_tool_calls=1)]
    last = events[-1]
    assert isinstance(last, Done)
    assert limit_of(last.result).kind == "max_tool_calls"


async def test_a_schedule_has_limits(rojak: Rojak, session_id: str) -> None:
    handle = await rojak.create_schedule(
        session_id, ScheduleSpec(), task("call add; add"), max_tool_calls=1, run_timeout=timedelta(1).total_seconds()
    )
    try:
        await handle.trigger()
        async with asyncio.timeout(20):
            while not (runs := [run async for run in rojak.list_scheduled_runs(session_id)]):
                await asyncio.sleep(0.1)
        result = await rojak.get_result(runs[0])
        assert limit_of(result).kind == "max_tool_calls"
    finally:
        await handle.delete()


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_turns", -1), ("max_tool_calls", -1), ("max_tokens_total", "many"), ("run_timeout", 0), ("run_timeout", -2)],
)
async def test_what_cannot_be_a_limit_is_an_error_before_anything_is_sent(
    rojak: Rojak, session_id: str, name: str, value: Any
) -> None:
    with pytest.raises(ConfigurationError, match=name):
        await rojak.run(id=session_id, task=task("say Hi"), **{name: value})
