"""What a client can ask and change besides running tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client, Interceptor, OutboundInterceptor, QueryWorkflowInput
from temporalio.service import RPCError, RPCStatusCode

from rojak import Rojak
from rojak.agents import OpenAIAgentActivities
from rojak.testing import ModelServer
from rojak.types import OrchestratorResponse, ResumeRequest, UpdateConfigParams
from rojak.types.errors import (
    ConfigurationError,
    ResultNotFoundError,
    RunCancelledError,
    SessionBusyError,
    SessionNotFoundError,
)
from tests.integration.session.conftest import answer, task, until_session_knows

pytestmark = pytest.mark.usefixtures("worker")


async def test_results_are_found_by_task_and_the_latest_without(rojak: Rojak, session_id: str) -> None:
    first = await rojak.run(id=session_id, type="persistent", task=task("say one"))
    second = await rojak.run(id=session_id, type="persistent", task=task("say two"))
    assert answer(await rojak.get_result(session_id, first.task_id)) == "one"
    assert answer(await rojak.get_result(session_id, second.task_id)) == "two"
    assert await rojak.get_run_result(session_id) == await rojak.get_result(session_id, second.task_id)


async def test_the_result_of_a_finished_run_is_whole(rojak: Rojak, session_id: str) -> None:
    response = await rojak.run(id=session_id, task=task("call add", "say Hi"))
    assert await rojak.get_result(session_id) == response.result


async def test_a_result_in_progress_is_awaited(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    gate = model.when(last_user="wait").hold()
    run = asyncio.create_task(rojak.run(id=session_id, type="persistent", task=task("wait")))
    await model.wait_for_requests(1)
    waiting = asyncio.create_task(rojak.get_result(session_id))
    gate.release()
    assert answer(await waiting) == "heard: wait"
    await run


async def test_unknown_sessions_and_tasks_are_errors(rojak: Rojak, session_id: str) -> None:
    for call in (
        rojak.get_result(session_id),
        rojak.get_config(session_id),
        rojak.get_pending_approvals(session_id),
        rojak.update_config(session_id, UpdateConfigParams(max_turns=1)),
        rojak.cancel(session_id),
    ):
        with pytest.raises(SessionNotFoundError, match=session_id):
            await call
    await rojak.run(id=session_id, type="persistent", task=task("say Hi"))
    with pytest.raises(ResultNotFoundError, match="'nonsense'"):
        await rojak.get_result(session_id, "nonsense")


async def test_a_task_sent_twice_is_done_once(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    for _ in range(3):
        response = await rojak.run(id=session_id, type="persistent", task=task("say Hi"), task_id="only")
        assert answer(response.result) == "Hi"
    assert len(model.requests) == 1
    assert len((await rojak.get_config(session_id)).messages) == 2


async def test_the_configuration_can_be_read_and_changed(rojak: Rojak, session_id: str) -> None:
    await rojak.run(id=session_id, type="persistent", task=task("say Hi"), context_variables={"a": 1}, history_size=4)
    config = await rojak.get_config(session_id)
    assert (config.type, config.history_size, config.max_turns, config.context_variables) == (
        "persistent",
        4,
        None,
        {"a": 1},
    )
    await rojak.update_config(
        session_id,
        UpdateConfigParams(
            messages=[{"role": "user", "content": "Earlier"}, {"role": "assistant", "content": "Indeed"}],
            context_variables={"b": 2},
            max_turns=5,
            debug=True,
        ),
    )
    config = await rojak.get_config(session_id)
    assert [m.text for m in config.messages] == ["Earlier", "Indeed"]
    assert (config.context_variables, config.max_turns, config.history_size, config.debug) == ({"b": 2}, 5, 4, True)
    response = await rojak.run(id=session_id, type="persistent", task=task("count"))
    assert answer(response.result) == "4"
    assert [m.text for m in response.result.messages] == ["Earlier", "Indeed", "count", "4"]


async def test_messages_are_not_replaced_in_the_middle_of_a_turn(rojak: Rojak, session_id: str) -> None:
    await rojak.run(id=session_id, type="persistent", task=task("call pay"))
    with pytest.raises(SessionBusyError, match="between turns"):
        await rojak.update_config(session_id, UpdateConfigParams(messages=[]))
    await rojak.update_config(session_id, UpdateConfigParams(context_variables={"a": 1}))
    assert (await rojak.get_config(session_id)).context_variables == {"a": 1}


async def test_cancel_ends_a_run_in_a_model_call_and_its_caller(
    rojak: Rojak, model: ModelServer, session_id: str
) -> None:
    gate = model.when(last_user="wait").hold()
    for index, session_type in enumerate(("stateless", "persistent"), 1):
        run = asyncio.create_task(rojak.run(id=session_id, type=session_type, task=task("wait")))
        await model.wait_for_requests(index)
        await rojak.cancel(session_id)
        async with asyncio.timeout(5):
            with pytest.raises(RunCancelledError, match=session_id):
                await run
    gate.release()


async def test_cancel_ends_a_run_in_a_tool_and_one_that_waits_for_approval(rojak: Rojak, session_id: str) -> None:
    run = asyncio.create_task(rojak.run(id=session_id, type="persistent", task=task('call slow {"seconds": 60}')))
    await until_session_has(rojak, session_id, messages=2)
    queued = asyncio.create_task(rojak.run(id=session_id, type="persistent", task=task("say queued"), task_id="queued"))
    await until_session_knows(rojak, session_id, "queued")
    await rojak.cancel(session_id)
    async with asyncio.timeout(5):
        for waiting in (run, queued):
            with pytest.raises(RunCancelledError):
                await waiting
    response = await rojak.run(id=f"{session_id}-2", task=task("call pay"))
    assert isinstance(response.result, ResumeRequest)
    await rojak.cancel(f"{session_id}-2")
    with pytest.raises(RunCancelledError):
        await rojak.get_result(f"{session_id}-2")


async def test_an_id_can_be_used_again_after_a_cancellation(rojak: Rojak, session_id: str) -> None:
    await rojak.run(id=session_id, type="persistent", task=task("say before"))
    await rojak.cancel(session_id)
    response = await rojak.run(id=session_id, type="persistent", task=task("say anew"))
    assert isinstance(response.result, OrchestratorResponse)
    assert [m.text for m in response.result.messages] == ["say anew", "anew"]


async def test_what_has_finished_cannot_be_cancelled(rojak: Rojak, session_id: str) -> None:
    await rojak.run(id=session_id, task=task("say done"))
    with pytest.raises(SessionNotFoundError, match=f"{session_id}.*has finished"):
        await rojak.cancel(session_id)
    assert answer(await rojak.get_result(session_id)) == "done"
    await rojak.run(id=f"{session_id}-2", type="persistent", task=task("say done"))
    await rojak.cancel(f"{session_id}-2")
    with pytest.raises(SessionNotFoundError, match=f"{session_id}-2.*has finished"):
        await rojak.cancel(f"{session_id}-2")


async def until_session_has(rojak: Rojak, session_id: str, *, messages: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                if len((await rojak.get_config(session_id)).messages) >= messages:
                    return
            except SessionNotFoundError:
                pass
            await asyncio.sleep(0.02)


async def test_a_stateless_run_without_an_agent_is_refused_before_it_starts(rojak: Rojak, session_id: str) -> None:
    with pytest.raises(ConfigurationError, match="needs an agent"):
        await rojak.run(id=session_id, task=task("say Hi", agent=None))
    with pytest.raises(SessionNotFoundError):
        await rojak.get_result(session_id)


async def test_a_finished_run_knows_its_own_task_alone(rojak: Rojak, session_id: str) -> None:
    response = await rojak.run(id=session_id, task=task("say Hi"))
    assert answer(await rojak.get_result(session_id, response.task_id)) == "Hi"
    with pytest.raises(ResultNotFoundError, match=response.task_id):
        await rojak.get_result(session_id, "another")


async def test_what_is_wrong_with_an_argument_is_said_before_anything_is_sent(rojak: Rojak, session_id: str) -> None:
    await rojak.run(id=session_id, type="persistent", task=task("say Hi"))
    with pytest.raises(ConfigurationError, match="'db' cannot be stored"):
        await rojak.update_config(session_id, UpdateConfigParams(context_variables={"db": object()}))
    for call in (
        rojak.run(id="", task=task("say Hi")),
        rojak.run(id=session_id, type="persistent", task=task("say Hi"), task_id=""),
        rojak.run(id=session_id, type="persistent", task=task("say Hi"), timeout=-1),
        rojak.run(id=session_id, type="persistent", task={"messages": []}),  # type: ignore[arg-type]
        rojak.run(id=session_id, resume={"action": "approve", "tool_id": "x"}),  # type: ignore[arg-type]
        rojak.update_config(session_id, {"max_turns": 1}),  # type: ignore[arg-type]
        rojak.get_config(""),
    ):
        with pytest.raises(ConfigurationError, match="give"):
            await call
    assert len((await rojak.get_config(session_id)).messages) == 2


async def test_a_worker_is_made_of_a_list_and_options_that_exist(
    rojak: Rojak, activities: OpenAIAgentActivities
) -> None:
    with pytest.raises(ConfigurationError, match="takes a list"):
        rojak.create_worker(activities)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="does not know max_activities"):
        rojak.create_worker([activities], max_activities=3)
    assert rojak.create_worker([activities], max_concurrent_activities=3)


class Overtaking(Interceptor):
    """Lets others do something between a reply and the first query that its caller sends for the conversation."""

    def __init__(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self.meanwhile: Callable[[], Awaitable[None]] | None = meanwhile

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002
        overtaking = self

        class Outbound(OutboundInterceptor):
            async def query_workflow(self, input: QueryWorkflowInput) -> Any:  # noqa: A002
                meanwhile, overtaking.meanwhile = overtaking.meanwhile, None
                if meanwhile is not None:
                    await meanwhile()
                return await super().query_workflow(input)

        return Outbound(next)


@pytest.mark.parametrize("rolls_over", [False, True])
async def test_a_result_is_whole_whoever_begins_before_it_is_put_together(
    temporal_address: str, rojak: Rojak, session_id: str, rolls_over: bool
) -> None:
    rolling = Rojak(rojak.client, rojak.task_queue, roll_over_after_events=1 if rolls_over else None)
    whole = None
    for number in range(3):
        first = task(f"say {number}")
        whole = await rolling.run(id=session_id, type="persistent", task=first, history_size=4)

    async def others() -> None:
        for number in range(3):
            await rolling.run(id=session_id, type="persistent", task=task(f"say other {number}"))

    client = await Client.connect(temporal_address, interceptors=[Overtaking(others)])
    response = await Rojak(client, rojak.task_queue).run(id=session_id, type="persistent", task=task("say mine"))
    texts = [message.text for message in response.result.messages]
    assert texts[-1] == "mine"
    assert response.result.messages_missing == 6 - len(texts)
    if not rolls_over:
        assert whole is not None
        assert texts == [*(m.text for m in whole.result.messages[-4:]), "say mine", "mine"]


class LossyInterceptor(Interceptor):
    """Loses each first query, as a worker does that just then forgets the workflow: no answer within its time."""

    def __init__(self) -> None:
        self.lost: list[timedelta | None] = []
        self.keeps = False

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002
        lossy = self

        class Outbound(OutboundInterceptor):
            async def query_workflow(self, input: QueryWorkflowInput) -> Any:  # noqa: A002
                lossy.keeps = not lossy.keeps
                if lossy.keeps:
                    lossy.lost.append(input.rpc_timeout)
                    raise RPCError("Timeout expired", RPCStatusCode.DEADLINE_EXCEEDED, b"")
                return await super().query_workflow(input)

        return Outbound(next)


async def test_a_lost_query_is_sent_again_within_seconds(temporal_address: str, rojak: Rojak, session_id: str) -> None:
    lossy = LossyInterceptor()
    client = await Client.connect(temporal_address, interceptors=[lossy])
    elsewhere = Rojak(client, rojak.task_queue)
    response = await elsewhere.run(id=session_id, type="persistent", task=task("say Hi"))
    assert (await elsewhere.get_config(session_id)).messages == response.result.messages
    assert answer(await elsewhere.get_result(session_id)) == "Hi"
    assert await elsewhere.get_pending_approvals(session_id) == []
    assert len(lossy.lost) >= 3
    assert all(limit is not None and limit <= timedelta(seconds=5) for limit in lossy.lost)
