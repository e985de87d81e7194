"""Agents called as tools: sessions of their own, in parallel, whose approvals and endings reach the caller."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from rojak import AgentTool, Interrupt, Rojak
from rojak.agents import AgentRef, OpenAIAgent, OpenAIAgentActivities
from rojak.client import ToolCalled, ToolResult, WaitingForApproval
from rojak.testing import ModelServer
from rojak.testing import call as model_call
from rojak.worker import RojakWorker
from tests.integration.session.conftest import answer, roles, running, task
from tests.integration.session.sub_agents import (
    approve,
    ask,
    call,
    lead,
    worker_agent,
)


async def test_an_agent_answers_as_a_tool(rojak: Rojak, worker: RojakWorker, session_id: str) -> None:
    script = task(call(ask("call add", "say it is sunny")), "echo", agent=lead, context_variables={"sum": 5})
    response = await rojak.run(id=session_id, task=script)
    assert answer(response.result) == "it is sunny"
    assert roles(response.result) == ["u", "a", "t", "a"]
    # Its own context: neither what the caller has, nor what it changed, crosses.
    assert response.result.context_variables == {"sum": 5}
    child = await rojak.get_result(f"{session_id}/1.1")
    assert answer(child) == "it is sunny"


async def test_usage_is_summed(rojak: Rojak, worker: RojakWorker, session_id: str, model: ModelServer) -> None:
    plain = await rojak.run(id=f"{session_id}-plain", task=task("call add", "say a", agent=lead))
    response = await rojak.run(id=session_id, task=task(call(ask("say b"), ask("say c")), "say a", agent=lead))
    assert response.result.usage.total_tokens > plain.result.usage.total_tokens
    of_tools = [m.usage for m in response.result.messages if m.role == "tool"]
    assert all(usage is not None and usage.output_tokens for usage in of_tools)
    assert response.result.usage.input_tokens == sum(m.usage.input_tokens for m in response.result.messages if m.usage)
    persistent = await rojak.run(
        id=f"{session_id}-p", type="persistent", task=task(call(ask("say b"), ask("say c")), "say a", agent=lead)
    )
    assert persistent.result.session_usage.total_tokens == response.result.usage.total_tokens


async def test_the_tokens_of_a_failed_agent_count(
    rojak: Rojak, worker: RojakWorker, session_id: str, model: ModelServer
) -> None:
    model.when(system="You are W", last_role="tool").error(400, "no")
    response = await rojak.run(id=session_id, task=task(call(ask("call add", "say never")), "echo", agent=lead))
    (result,) = [m for m in response.result.messages if m.role == "tool"]
    assert result.text.startswith("Error: Worker failed: BadRequestError")
    assert result.usage is not None
    assert result.usage.input_tokens > 0


async def test_a_copy_of_the_context_where_it_is_shared(rojak: Rojak, worker: RojakWorker, session_id: str) -> None:
    agent = OpenAIAgent(name="Lead", tools=[AgentTool(worker_agent, "Works", share_context=True)])
    script = task(call(ask("call add", "echo")), "echo", agent=agent, context_variables={"sum": 5})
    response = await rojak.run(id=session_id, task=script)
    assert answer(response.result) == "sum is 6"
    assert response.result.context_variables == {"sum": 5}


async def test_several_work_at_the_same_time(
    rojak: Rojak, worker: RojakWorker, session_id: str, model: ModelServer
) -> None:
    gate = model.when(system="You are W", last_user="wait").hold()
    run = asyncio.create_task(
        rojak.run(id=session_id, task=task(call("add", ask("wait"), "slow", ask("wait", to="b")), "echo", agent=lead))
    )
    # The lead's call, and both children's, which are there together.
    await model.wait_for_requests(3)
    gate.release()
    assert answer((await run).result) == "sum is 1 | heard: wait | slept | heard: wait"


async def test_a_failed_agent_is_an_error_to_the_model(
    rojak: Rojak, worker: RojakWorker, session_id: str, model: ModelServer
) -> None:
    model.when(system="You are W", last_user="refused").error(400, "no such thing")
    response = await rojak.run(id=session_id, task=task(call(ask("refused"), ask("say fine")), "echo", agent=lead))
    first, second = answer(response.result).split(" | ")
    assert first.startswith("Error: Worker failed: BadRequestError")
    assert "no such thing" in first
    assert second == "fine"


async def test_wrong_arguments_are_an_error_to_the_model(rojak: Rojak, worker: RojakWorker, session_id: str) -> None:
    response = await rojak.run(id=session_id, task=task('call worker {"text": "x"}', "echo", agent=lead))
    assert answer(response.result) == 'Error: the arguments must be {"message": "<what the agent is to do>"}'


async def test_an_agent_may_be_asked_about_itself(rojak: Rojak, worker: RojakWorker, session_id: str) -> None:
    agent = OpenAIAgent(name="Lead", tools=lead.tools, interrupts=[Interrupt("worker")])
    response = await rojak.run(id=session_id, task=task(call(ask("say a")), "echo", agent=agent))
    assert response.result.tool_name == "worker"
    final = await rojak.run(id=session_id, resume=approve(response.result, tool_arguments={"message": "say b"}))
    assert answer(final.result) == "b"


async def test_agents_call_agents_eight_deep_at_most(rojak: Rojak, worker: RojakWorker, session_id: str) -> None:
    agent, script = worker_agent, "echo"
    for _ in range(9):
        agent = OpenAIAgent(name="Worker", tools=[AgentTool(agent, "Works")])
        script = call(ask(script, "echo"))
    response = await rojak.run(id=session_id, task=task(script, "echo", agent=agent))
    assert "agents may call agents 8 deep" in answer(response.result)


async def test_the_next_task_waits_for_the_turn(rojak: Rojak, worker: RojakWorker, session_id: str) -> None:
    response = await rojak.run(id=session_id, type="persistent", task=task(call(ask("call pay")), "say a", agent=lead))
    next_one = asyncio.create_task(rojak.run(id=session_id, type="persistent", task=task("say b", agent=None)))
    await rojak.run(id=session_id, resume=approve(response.result))
    assert answer((await next_one).result) == "b"


async def test_twenty_take_about_as_long_as_one(
    rojak: Rojak, worker: RojakWorker, session_id: str, model: ModelServer
) -> None:
    model.when(system="You are W", last_user="think").reply("thought").slow(delay=1.0)
    began = time.monotonic()
    calls = call(*(ask("think") for _ in range(20)))
    response = await rojak.run(id=session_id, task=task(calls, "echo", agent=lead))
    assert answer(response.result).count("thought") == 20
    # One after another would be 20 s.
    assert time.monotonic() - began < 12


async def test_an_agent_known_by_name_works_on_its_own_queue(
    rojak: Rojak, activities: OpenAIAgentActivities, worker: RojakWorker, session_id: str, task_queue: str
) -> None:
    there = Rojak(rojak.client, task_queue=f"{task_queue}.other")
    by_name = AgentTool(AgentRef("clerk", task_queue=there.task_queue), "Works elsewhere")
    agent = OpenAIAgent(name="Lead", tools=[by_name])
    clerk = OpenAIAgent(name="clerk", instructions="You are there.", functions=["pay"], interrupts=[Interrupt("pay")])
    script = task(call(ask("call pay", "instructions", to="clerk")), "echo", agent=agent)
    async with running(there, activities, agents=[clerk]):
        response = await rojak.run(id=session_id, task=script)
        final = await rojak.run(id=session_id, resume=approve(response.result))
        assert answer(final.result) == "You are there."
        description = await rojak.client.get_workflow_handle(f"{session_id}/1.1").describe()
    assert description.task_queue == there.task_queue


async def test_an_agent_that_calls_itself_by_name_comes_to_an_end(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str, worker_options: dict[str, Any], model: ModelServer
) -> None:
    agent = OpenAIAgent(name="loop", instructions="You loop.", tools=[AgentTool(AgentRef("loop"), "Is itself")])
    model.when(system="You loop", last_role="user").reply(tool_calls=[model_call("loop", message="again")])
    model.when(system="You loop", last_role="tool").reply("the end")
    async with running(rojak, activities, agents=[agent], **worker_options):
        response = await rojak.run(id=session_id, task=task("begin", agent=AgentRef("loop")))  # type: ignore[arg-type]
    assert answer(response.result) == "the end"
    assert len(model.requests) == 18


async def test_a_typed_answer_comes_as_json(
    rojak: Rojak, worker: RojakWorker, session_id: str, model: ModelServer
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    counter = OpenAIAgent(name="Counter", instructions="You count.", output_schema=schema)
    model.when(system="You count").reply('{"n": 3}')
    agent = OpenAIAgent(name="Lead", tools=[AgentTool(counter, "Counts")])
    response = await rojak.run(id=session_id, task=task(call(ask("count", to="counter")), "echo", agent=agent))
    assert answer(response.result) == '{"n": 3}'


async def test_calls_and_results_of_agents_are_streamed(rojak: Rojak, worker: RojakWorker, session_id: str) -> None:
    script = task(call(ask("call pay", "echo")), "echo", agent=lead)
    events = [event async for event in rojak.stream(id=session_id, task=script)]
    (called,) = [event for event in events if isinstance(event, ToolCalled)]
    assert called.tool_name == "worker"
    assert isinstance(events[-1], WaitingForApproval)
    resume = approve(events[-1].requests[0])
    events = [event async for event in rojak.stream(id=session_id, resume=resume)]
    (result,) = [event for event in events if isinstance(event, ToolResult)]
    assert (result.tool_name, result.content) == ("worker", "paid 1")
