"""Agents called as tools: sessions of their own, in parallel, whose approvals and endings reach the caller."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle

from rojak import AgentTool, Interrupt, ResumeRequest, ResumeResponse, Rojak
from rojak.agents import AgentRef, OpenAIAgent, OpenAIAgentActivities
from rojak.client import ToolCalled, ToolResult, WaitingForApproval
from rojak.session.state import Settings, Task
from rojak.testing import ModelServer
from rojak.testing import call as model_call
from rojak.types import ConversationMessage
from rojak.types.errors import RunCancelledError, ToolCallNotPendingError
from rojak.worker import RojakWorker
from rojak.workflows import contracts
from rojak.workflows.contracts import SessionInput
from tests.integration.session.conftest import answer, roles, running, task
from tests.integration.session.team import NAMES

worker_agent = OpenAIAgent(name="Worker", instructions="You are W.", functions=NAMES, interrupts=[Interrupt("pay")])
lead = OpenAIAgent(
    name="Lead",
    instructions="You lead.",
    functions=NAMES,
    interrupts=[Interrupt("pay")],
    tools=[AgentTool(worker_agent, "Does what it is told"), AgentTool(worker_agent, "Knows", name="b")],
)
boss = OpenAIAgent(name="Boss", tools=[AgentTool(lead, "Leads workers")])


def ask(*lines: str, to: str = "worker") -> str:
    """A call of an agent whose message is a script of its own."""
    return f"{to} {json.dumps({'message': chr(10).join(lines)})}"


def call(*asked: str) -> str:
    """A line that makes these calls. The script splits at '; ', which JSON can say in another way."""
    return "call " + "; ".join(part.replace("; ", r"\u003b ") for part in asked)


def approve(request: ResumeRequest, **fields: Any) -> ResumeResponse:
    return ResumeResponse(action="approve", tool_id=request.tool_id, **fields)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """Wait for something in another session that cannot be awaited."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.05)


async def status(rojak: Rojak, session_id: str) -> WorkflowExecutionStatus | None:
    return (await rojak.client.get_workflow_handle(session_id).describe()).status


async def pending_names(rojak: Rojak, session_id: str) -> list[str | None]:
    return [request.tool_arguments for request in await rojak.get_pending_approvals(session_id)]


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


async def test_an_agent_may_be_asked_about_itself(rojak: Rojak, worker: RojakWorker, session_id: str) -> None:
    agent = OpenAIAgent(name="Lead", tools=lead.tools, interrupts=[Interrupt("worker")])
    response = await rojak.run(id=session_id, task=task(call(ask("say a")), "echo", agent=agent))
    assert response.result.tool_name == "worker"
    final = await rojak.run(id=session_id, resume=approve(response.result, tool_arguments={"message": "say b"}))
    assert answer(final.result) == "b"


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
