"""Runs that fail: who hears of it, how soon, and that nothing else is harmed."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest
from temporalio.service import RPCError

from rojak import Rojak
from rojak.agents import OpenAIAgent, OpenAIAgentActivities
from rojak.testing import ModelServer
from rojak.types import Agent, RetryOptions, RetryPolicy
from rojak.types.errors import NoWorkerError, RunFailedError, RunTimeoutError
from tests.integration.session.conftest import answer, task
from tests.integration.session.team import NAMES, agent_a

with_worker = pytest.mark.usefixtures("worker")


@with_worker
@pytest.mark.parametrize(("status", "name"), [(400, "BadRequestError"), (401, "AuthenticationError")])
async def test_a_refusal_of_the_provider_reaches_the_caller_at_once(
    rojak: Rojak, model: ModelServer, session_id: str, status: int, name: str
) -> None:
    await rojak.run(id=session_id, type="persistent", task=task("say before"))
    model.when(last_user="refused").error(status, "you cannot do that")
    began = time.monotonic()
    with pytest.raises(RunFailedError, match=f"{name}.*you cannot do that") as caught:
        await rojak.run(id=session_id, type="persistent", task=task("refused"))
    assert caught.value.error_type == name
    assert time.monotonic() - began < 5
    # The session is as it was, and goes on.
    response = await rojak.run(id=session_id, type="persistent", task=task("say after"))
    assert [m.text for m in response.result.messages] == ["say before", "before", "say after", "after"]


@with_worker
async def test_a_stateless_run_that_fails_is_failed_in_temporal(
    rojak: Rojak, model: ModelServer, session_id: str
) -> None:
    model.when(last_user="refused").error(400, "no")
    with pytest.raises(RunFailedError, match="BadRequestError"):
        await rojak.run(id=session_id, task=task("refused"))
    handle = rojak.client.get_workflow_handle(session_id)
    assert (await handle.describe()).status.name == "FAILED"
    with pytest.raises(RunFailedError, match="BadRequestError"):
        await rojak.get_result(session_id)


@with_worker
async def test_a_provider_that_is_busy_is_asked_again_when_it_says(
    rojak: Rojak, model: ModelServer, session_id: str
) -> None:
    model.when(last_user="busy").error(429, "slow down", retry_after=1).times(1)
    began = time.monotonic()
    assert answer((await rojak.run(id=session_id, task=task("busy"))).result) == "heard: busy"
    assert 0.9 < time.monotonic() - began < 10


@with_worker
@pytest.mark.parametrize("fault", ["500", "broken", "malformed"])
async def test_a_provider_that_stumbles_is_asked_again(
    rojak: Rojak, model: ModelServer, session_id: str, fault: str
) -> None:
    rule = model.when(last_user="stumble")
    match fault:
        case "500":
            rule.error(500, "oops").times(1)
        case "broken":
            rule.break_connection().times(1)
        case _:
            rule.malformed().times(1)
    assert answer((await rojak.run(id=session_id, task=task("stumble"))).result) == "heard: stumble"


@with_worker
async def test_attempts_end(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    model.when(last_user="always").error(503, "down")
    policy = RetryPolicy(maximum_attempts=3, initial_interval_in_seconds=0.05)
    agent = OpenAIAgent(retry_options=RetryOptions(retry_policy=policy))
    with pytest.raises(RunFailedError, match="down"):
        await rojak.run(id=session_id, task=task("always", agent=agent))
    assert len(model.requests) == 3


@with_worker
async def test_an_empty_completion_is_an_error(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    model.when(last_user="nothing").reply("")
    with pytest.raises(RunFailedError, match="EmptyCompletionError"):
        await rojak.run(id=session_id, task=task("nothing"))


@with_worker
async def test_a_missing_instructions_function_is_named(rojak: Rojak, session_id: str) -> None:
    agent = OpenAIAgent(instructions={"type": "function", "name": "missing_one"})
    with pytest.raises(RunFailedError, match="missing_one"):
        await rojak.run(id=session_id, task=task("say Hi", agent=agent))


@with_worker
async def test_a_function_that_is_not_registered_is_named_with_the_remedy(rojak: Rojak, session_id: str) -> None:
    agent = OpenAIAgent(name="Lost", functions=["ad"])
    with pytest.raises(RunFailedError, match=r"'Lost' names the function 'ad'.*'add'.*all_functions"):
        await rojak.run(id=session_id, task=task("say Hi", agent=agent))


@with_worker
async def test_an_agent_that_no_activities_serve_is_named_with_the_remedy(rojak: Rojak, session_id: str) -> None:
    class StrangeAgent(Agent):
        type: str = "strange"
        model: str = "m"

    with pytest.raises(RunFailedError, match=r"type 'strange'.*serves: openai.*create_worker"):
        await rojak.run(id=session_id, task=task("say Hi").model_copy(update={"agent": StrangeAgent()}))


@with_worker
async def test_a_tools_exception_goes_to_the_model_within_seconds(rojak: Rojak, session_id: str) -> None:
    began = time.monotonic()
    response = await rojak.run(id=session_id, task=task('call fail {"reason": "on purpose"}', "echo"))
    assert "ValueError: on purpose" in answer(response.result)
    assert time.monotonic() - began < 5


@with_worker
async def test_a_retry_policy_tries_a_tool_as_often_as_it_says(rojak: Rojak, session_id: str) -> None:
    policy = RetryPolicy(maximum_attempts=3, initial_interval_in_seconds=0.05)
    agent = OpenAIAgent(functions=NAMES, retry_options=RetryOptions(retry_policy=policy))
    response = await rojak.run(id=session_id, task=task("call fail", "echo", agent=agent))
    assert "ValueError: no luck" in answer(response.result)
    history = await rojak.client.get_workflow_handle(session_id).fetch_history()
    started = [e.activity_task_started_event_attributes.attempt for e in history.events if e.event_type == 11]
    assert 3 in started


@with_worker
async def test_exceptions_that_a_policy_excludes_are_not_tried_again(rojak: Rojak, session_id: str) -> None:
    policy = RetryPolicy(initial_interval_in_seconds=0.05, non_retryable_error_types=["ValueError"])
    agent = OpenAIAgent(functions=NAMES, retry_options=RetryOptions(retry_policy=policy))
    response = await rojak.run(id=session_id, task=task("call fail", "echo", agent=agent))
    assert "ValueError: no luck" in answer(response.result)


@with_worker
async def test_a_tool_that_takes_too_long_is_an_error_to_the_model(rojak: Rojak, session_id: str) -> None:
    agent = OpenAIAgent(functions=NAMES, retry_options=RetryOptions(timeout_in_seconds=0.3))
    calls = 'call slow {"seconds": 20}; blocking {"seconds": 2}'
    response = await rojak.run(id=session_id, task=task(calls, "echo", agent=agent))
    assert answer(response.result).count("timed out after 0.3 s") == 2


@with_worker
async def test_other_sessions_do_not_notice(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    model.when(last_user="refused").error(400, "no")
    runs = [rojak.run(id=f"{session_id}-{i}", task=task("refused" if i % 2 else "say fine")) for i in range(8)]
    results = await asyncio.gather(*runs, return_exceptions=True)
    assert [isinstance(result, RunFailedError) for result in results] == [bool(i % 2) for i in range(8)]


@with_worker
async def test_a_caller_may_stop_waiting_and_come_back(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    gate = model.when(last_user="wait").hold()
    with pytest.raises(RunTimeoutError, match="get_result"):
        await rojak.run(id=session_id, task=task("wait"), timeout=1)
    gate.release()
    assert answer(await rojak.get_result(session_id)) == "heard: wait"


async def test_a_task_queue_without_a_worker_is_named(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str
) -> None:
    impatient = Rojak(rojak.client, rojak.task_queue, no_worker_timeout=0.5)
    with pytest.raises(NoWorkerError, match=rojak.task_queue):
        await impatient.run(id=session_id, task=task("say kept"))
    # Nothing was lost: a worker that comes later does it.
    async with rojak.create_worker([activities]):
        assert answer(await rojak.get_result(session_id)) == "kept"


async def test_questions_to_a_session_that_nobody_works_on_name_its_task_queue(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str
) -> None:
    impatient = Rojak(rojak.client, rojak.task_queue, no_worker_timeout=0.5)
    with pytest.raises(NoWorkerError):
        await impatient.run(id=session_id, task=task("say kept"))
    # A client of another queue, where there is a worker, looks where the session is.
    elsewhere = Rojak(rojak.client, f"{rojak.task_queue}-2", no_worker_timeout=0.5)
    async with elsewhere.create_worker([activities]):
        for client in (impatient, elsewhere):
            for ask in (client.get_config, client.get_pending_approvals, client.get_result):
                async with asyncio.timeout(20):
                    with pytest.raises(NoWorkerError, match=f"'{rojak.task_queue}'"):
                        await ask(session_id)
    async with rojak.create_worker([activities]):
        assert answer(await rojak.get_result(session_id)) == "kept"


@with_worker
async def test_a_question_asked_before_a_worker_saw_the_session_waits_for_it(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str
) -> None:
    rojak = Rojak(rojak.client, f"{rojak.task_queue}-2")
    run = asyncio.create_task(rojak.run(id=session_id, type="persistent", task=task("say kept")))
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(RPCError):
                await rojak.client.get_workflow_handle(session_id).describe()
                break
    questions = [asyncio.create_task(ask(session_id)) for ask in (rojak.get_config, rojak.get_pending_approvals)]
    await asyncio.sleep(0)
    async with rojak.create_worker([activities]):
        assert answer((await run).result) == "kept"
        config, approvals = await asyncio.gather(*questions)
    assert config.type == "persistent"
    assert approvals == []


@with_worker
async def test_a_large_result_of_a_tool_does_not_harm_the_session(rojak: Rojak, session_id: str) -> None:
    big = agent_a.model_copy(update={"functions": [*NAMES]})
    calls = "; ".join(f'note {{"key": "k{i}", "value": "{"x" * 40_000}"}}' for i in range(5))
    response = await rojak.run(id=session_id, type="persistent", task=task(f"call {calls}", "echo", agent=big))
    assert "noted" in answer(response.result)
    assert "context variables" in answer(response.result)
    assert answer((await rojak.run(id=session_id, type="persistent", task=task("say fine"))).result) == "fine"
