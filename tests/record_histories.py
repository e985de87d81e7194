"""Records the histories that `tests/integration/test_replay.py` replays: ``make histories``.

What is recorded stays: a workflow that was started with one version of Rojak goes on with the next. Run this when
workflow code got a new path, and keep the files that are there; a file that does not replay any more is a broken
promise, not a file to record again.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from temporalio.client import Client, WorkflowFailureError

from rojak import Compaction, ResumeResponse, Rojak, RunResponse
from rojak.agents import (
    AgentRef,
    AgentTool,
    HandOffTool,
    Interrupt,
    OpenAIAgent,
    OpenAIAgentActivities,
    OpenAIAgentOptions,
)
from rojak.client.tasks import make_task
from rojak.dev import TemporalServer
from rojak.session.task import Settings
from rojak.testing import ModelServer, call
from rojak.types import MCPServerConfig, ResumeRequest, TaskParams, UpdateConfigParams
from rojak.types.errors import RunCancelledError, RunFailedError
from rojak.worker import RojakWorker
from rojak.workflows.contracts import (
    SCHEDULED_TURN_NAME,
    SIGNAL_NEW_VERSION,
    UPDATE_ASK,
    UPDATE_CONFIG,
    UPDATE_RESUME,
    Ask,
    ConfigChange,
    Resume,
    ScheduledTurn,
)
from tests.integration.retrievers.shelf import ShelfActivities, ShelfRetriever
from tests.integration.session.conftest import task, until_session_knows
from tests.integration.session.script import follow_script
from tests.integration.session.team import FUNCTIONS, NAMES, agent_a
from tests.integration.session.versions import deployment_config, make_current, until_on

FOLDER = Path(__file__).parent / "histories"

Scenario = Callable[[Rojak, ModelServer, str], Awaitable[None]]


async def stateless_run_with_a_tool(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    await rojak.run(id=session_id, task=task("call add", "say done"))


async def hand_off_and_parallel_tools(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    await rojak.run(id=session_id, task=task("call add; fail; slow; nowhere", "call promote; transfer_to_c", "echo"))


async def persistent_turns(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    for index in range(4):
        await rojak.run(id=session_id, type="persistent", task=task("call add", f"say {index} " + "w" * 900))
    await rojak.update_config(session_id, UpdateConfigParams(context_variables={"a": 1}, max_turns=3))
    await rojak.run(id=session_id, type="persistent", task=task("call add", "say last"))


async def approvals_of_a_stateless_run(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    await rojak.run(id=session_id, task=task("call pay; add; refund", "echo"))
    for action in ("approve", "reject"):
        request = (await rojak.get_pending_approvals(session_id))[0]
        await rojak.run(id=session_id, resume=ResumeResponse(action=action, tool_id=request.tool_id))


async def approval_that_expires(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    agent = OpenAIAgent(functions=NAMES, interrupts=[Interrupt("pay", timeout_in_seconds=0.5)])
    response = await rojak.run(id=session_id, type="persistent", task=task("call pay", "echo", agent=agent))
    while isinstance(await rojak.get_result(session_id, response.task_id), ResumeRequest):
        await asyncio.sleep(0.05)


async def failed_turn(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    model.when(last_user="refused").error(400, "no")
    try:
        await rojak.run(id=session_id, type="persistent", task=task("refused"))
    except RunFailedError:
        await rojak.run(id=session_id, type="persistent", task=task("say fine"))


async def large_agent_and_context(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    agent = agent_a.model_copy(update={"instructions": "You are A. " + "Be kind. " * 300})
    script = task("call add", "call add", "say done", agent=agent, context_variables={"notes": "n" * 6000})
    await rojak.run(id=session_id, type="persistent", task=script)


async def sequential_tools(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    agent = agent_a.model_copy(update={"parallel_tool_calls": False})
    await rojak.run(id=session_id, task=task("call add; add; add", "echo", agent=agent))


async def streamed_run(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    async for _ in rojak.stream(id=session_id, task=task("call add", "say done")):
        pass


async def cancelled_in_a_model_call(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    gate = model.when(last_user="wait").hold()
    seen = len(model.requests)
    run = asyncio.create_task(rojak.run(id=session_id, type="persistent", task=task("wait")))
    await model.wait_for_requests(seen + 1)
    await rojak.cancel(session_id)
    try:
        await run
    except RunCancelledError:
        gate.release()


async def roll_overs(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    rolling = Rojak(rojak.client, rojak.task_queue, roll_over_after_events=30)
    await rolling.run(id=session_id, type="persistent", task=task(*["call add"] * 8, "echo"))
    await rolling.run(id=session_id, type="persistent", task=task("call pay", "echo"))
    request = (await rolling.get_pending_approvals(session_id))[0]
    await rolling.run(id=session_id, resume=ResumeResponse(action="approve", tool_id=request.tool_id))


async def many_callers(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    request = (await rojak.run(id=session_id, type="persistent", task=task("call pay", "echo"))).result
    assert isinstance(request, ResumeRequest)
    runs = [
        asyncio.create_task(rojak.run(id=session_id, type="persistent", task=task(f"say {n}"), task_id=f"later-{n}"))
        for n in range(9)
    ]
    for n in range(9):
        await until_session_knows(rojak, session_id, f"later-{n}")
    await rojak.run(id=session_id, resume=ResumeResponse(action="approve", tool_id=request.tool_id))
    await asyncio.gather(*runs)


async def what_was_sent_twice(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    """As after an update whose answer got lost: a task, a change of the settings and a decision."""
    handle = rojak.client.get_workflow_handle(session_id)
    asking = await rojak.run(id=session_id, type="persistent", task=task("call pay", "echo"), task_id="pay")
    assert isinstance(asking.result, ResumeRequest)
    decision = ResumeResponse(action="approve", tool_id=asking.result.tool_id)
    change = ConfigChange(id="change", context_variables={"a": 1})
    for number in ("first", "second"):
        await handle.execute_update(UPDATE_CONFIG, change, id=f"{number}-change")
        await rojak.update_config(session_id, UpdateConfigParams(context_variables={"a": 2}))
        await handle.execute_update(UPDATE_RESUME, Resume(id="resume", response=decision), id=f"{number}-resume")
        again = make_task(task("call pay", "echo"), None, Settings(), task_id="pay")
        await handle.execute_update(UPDATE_ASK, Ask(task=again), id=f"{number}-ask")
    await rojak.run(id=session_id, type="persistent", task=task("say done"))


async def answers_that_do_not_fit(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    agent = OpenAIAgent(functions=NAMES, output_schema=schema)
    model.when(last_user="correct yourself").reply("no", '{"n": "x"}', '{"n": 1}')
    model.when(last_user="It is no JSON").reply('{"n": "x"}')
    model.when(last_user="is not of type").reply('{"n": 1}')
    await rojak.run(id=session_id, type="persistent", task=task("correct yourself", agent=agent))
    hopeless = agent.model_copy(update={"output_retries": 0})
    try:
        await rojak.run(id=session_id, type="persistent", task=task("say hopeless", agent=hopeless))
    except RunFailedError:
        return


async def runs_that_reach_limits(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    await rojak.run(id=session_id, type="persistent", task=task("call add; add", "say never"), max_tool_calls=1)
    await rojak.run(id=session_id, type="persistent", task=task("call add", "say in time"), run_timeout=60)
    slow = task('call add; slow {"seconds": 30}', "say never")
    await rojak.run(id=session_id, type="persistent", task=slow, max_tool_calls=5, run_timeout=1)
    response = await rojak.run(id=session_id, type="persistent", task=task("call pay", "say never"))
    while isinstance(await rojak.get_result(session_id, response.task_id), ResumeRequest):
        await asyncio.sleep(0.05)
    gate = model.when(last_user="held").hold()
    await rojak.run(id=session_id, type="persistent", task=task("held"))
    gate.release()


async def retrievals(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    shelf = ShelfRetriever()
    agent = OpenAIAgent(retriever=shelf, tools=[shelf.as_tool(name="look_up", description="Looks something up.")])
    calls = [call("look_up", query="this"), call("look_up", query="fail"), call("look_up", raw="{}")]
    model.when(last_user="look up").reply(tool_calls=calls).times(1)
    for said in ("say found", "say fail", "say nothing", "look up\nsay done", "say " + "long " * 1000):
        await rojak.run(id=session_id, type="persistent", task=task(said, agent=agent))


async def agents_by_name(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    """From queue to queue; the pinned one keeps its definition, the other one gets a new one in between."""
    there = Rojak(rojak.client, "histories.other")
    back = HandOffTool(AgentRef("first", task_queue=rojak.task_queue), "Back to the first")
    options = OpenAIAgentOptions(api_key="test", base_url=model.base_url, all_functions=FUNCTIONS)

    async def converse(text: str, *script: str) -> None:
        other = OpenAIAgent(name="other", instructions=text, functions=["add"], tools=[back])
        pinned = other.model_copy(update={"name": "pinned", "pinned": True})
        async with there.create_worker([OpenAIAgentActivities(options)], agents=[other, pinned]):
            message = {"role": "user", "content": "\n".join(script)}
            params = TaskParams(agent=AgentRef("first"), messages=[message])  # type: ignore[list-item]
            await rojak.run(id=session_id, type="persistent", task=params)

    there_and_back = ["call transfer_to_other", "call add", "call transfer_to_first", "call transfer_to_pinned", "echo"]
    await converse("You are old.", "call add", *there_and_back)
    await converse("You are new.", *there_and_back)
    await converse("You are new.", "call transfer_to_other", "instructions")


WORKER = OpenAIAgent(name="Worker", instructions="You work.", functions=NAMES, interrupts=[Interrupt("pay")])
HASTY = AgentTool(WORKER, "Works, in time", name="hasty", timeout_in_seconds=1)
LEAD = OpenAIAgent(
    name="Lead",
    instructions="You lead.",
    functions=["add"],
    tools=[AgentTool(WORKER, "Works", share_context=True), HASTY],
)


def ask(*lines: str, name: str = "worker") -> str:
    """A call of a sub-agent, which follows a script of its own."""
    message = json.dumps({"message": "\n".join(lines)}).replace("; ", r"\u003b ")
    return f"{name} {message}"


async def decide_all(rojak: Rojak, response: RunResponse) -> None:
    while isinstance(response.result, ResumeRequest):
        resume = ResumeResponse(action="approve", tool_id=response.result.tool_id)
        response = await rojak.run(id=response.id, resume=resume)


async def sub_agents(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    rolling = Rojak(rojak.client, rojak.task_queue, roll_over_after_events=40)
    gate = model.when(system="You work", last_user="held").hold()
    for lines in (
        [f"call {ask('call add', 'echo')}; {ask('say b')}; add", "echo"],
        [f"call {ask('call pay; pay', 'echo')}; {ask('call fail', 'call pay', 'echo')}", "echo"],
        [f"call {ask('held', name='hasty')}; hasty", "echo"],
        [f"call {ask('call pay', 'call pay', 'echo')}", "call add", "call add", "echo"],
    ):
        await decide_all(rolling, await rolling.run(id=session_id, type="persistent", task=task(*lines, agent=LEAD)))
    gate.release()


async def approvals_that_had_no_room(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    wordy = OpenAIAgent(name="W" * 11_000, functions=NAMES, interrupts=[Interrupt("pay")])
    lead = OpenAIAgent(name="Lead", tools=[AgentTool(wordy, "Pays", name="helper")])
    script = task('call helper {"message": "call pay\\u003b pay\\u003b pay\\nsay paid"}', "echo", agent=lead)
    await decide_all(rojak, await rojak.run(id=session_id, task=script))


async def nested_sub_agents_of_a_stateless_run(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    boss = OpenAIAgent(name="Boss", instructions="You boss.", tools=[AgentTool(LEAD, "Leads")])
    inner = f"call {ask('call pay', 'echo')}; {ask('say b')}"
    await decide_all(
        rojak, await rojak.run(id=session_id, task=task(f"call {ask(inner, 'echo', name='lead')}", agent=boss))
    )


async def cancelled_with_a_sub_agent(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    response = await rojak.run(id=session_id, type="persistent", task=task(f"call {ask('call pay')}", agent=LEAD))
    assert isinstance(response.result, ResumeRequest)
    await rojak.cancel(session_id)
    await until_closed(rojak, f"{session_id}/1.1")


async def until_closed(rojak: Rojak, session_id: str) -> None:
    try:
        await rojak.client.get_workflow_handle(session_id).result()
    except WorkflowFailureError:
        return


async def summaries_of_old_messages(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    model.when(last_user="<conversation>").error(400, "no").times(1)
    model.when(last_user="<conversation>").reply("In short.")
    policy = Compaction(trigger_messages=5, keep_last=2)
    for index in range(5):
        script = task("call add", f"say {index} " + "w" * 900)
        await rojak.run(id=session_id, type="persistent", task=script, compaction=policy)
    await rojak.update_config(session_id, UpdateConfigParams(compaction=False))
    await rojak.run(id=session_id, type="persistent", task=task("say last"))


async def tools_of_mcp_servers(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    """A list that comes, is used, is changed by the next worker, and crosses a roll-over in the middle of a turn."""
    activities = OpenAIAgentActivities(OpenAIAgentOptions(api_key="test", base_url=model.base_url))
    agent = OpenAIAgent(name="M", interrupts=[Interrupt("destroy"), Interrupt("f*_later", on_timeout="approve")])
    rolling = Rojak(rojak.client, "histories.mcp", roll_over_after_events=30)
    program = ["-m", "tests.integration.mcp.bad_server", "named"]
    fine, destroy = (
        MCPServerConfig(type="stdio", command=sys.executable, args=[*program, name]) for name in ("fine", "destroy")
    )
    async with rolling.create_worker([activities], mcp_servers={"test": fine}):
        await rolling.run(id=session_id, type="persistent", task=task("call fine; nothing", "echo", agent=agent))
        script = task(*["call fine"] * 4, "echo", agent=agent)
        await rolling.run(id=session_id, type="persistent", task=script)
    async with rolling.create_worker([activities], mcp_servers={"test": destroy}):
        script = task("call fine; destroy", "echo", agent=agent)
        response = await rolling.run(id=session_id, type="persistent", task=script)
        assert isinstance(response.result, ResumeRequest)
        await rolling.run(id=session_id, resume=ResumeResponse(action="approve", tool_id=response.result.tool_id))


async def scheduled_turns(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    """A turn that is short, one that fails, and one that waits for a human."""
    for number, script in enumerate((task("call add", "echo"), task("refused"), task("call pay", "echo"))):
        turn = ScheduledTurn(session_id=session_id, task=make_task(script, None, Settings(), task_id="scheduled"))
        handle = await rojak.client.start_workflow(
            SCHEDULED_TURN_NAME, turn, id=f"{session_id}/{number}", task_queue=rojak.task_queue
        )
        if number == 2:
            while not (pending := await rojak.get_pending_approvals(session_id)):
                await asyncio.sleep(0.1)
            # The first look finds that it waits.
            await asyncio.sleep(4)
            await rojak.run(id=session_id, resume=ResumeResponse(action="approve", tool_id=pending[0].tool_id))
        try:
            await handle.result()
        except WorkflowFailureError:
            assert number == 1


async def moves_to_a_new_version(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    """A turn that rolls over while its version is replaced, a move after it, and one when told of another version."""
    rolling = Rojak(rojak.client, "histories.versions", roll_over_after_events=25)
    options = OpenAIAgentOptions(api_key="test", base_url=model.base_url, all_functions=FUNCTIONS)
    deployment = "histories/versions"

    def worker(build_id: str) -> RojakWorker:
        config = deployment_config(deployment, build_id)
        return rolling.create_worker([OpenAIAgentActivities(options)], deployment_config=config)

    async with worker("v1"), worker("v2"):
        await make_current(rojak.client, deployment, "v1")
        response = await rolling.run(id=session_id, type="persistent", task=task("call pay", *["call add"] * 8, "echo"))
        await make_current(rojak.client, deployment, "v2")
        await decide_all(rolling, response)
        await until_on(rojak.client, session_id, "v2")
        await rolling.run(id=session_id, type="persistent", task=task("call add", "echo"))
        await make_current(rojak.client, deployment, "v1")
        await rojak.client.get_workflow_handle(session_id).signal(SIGNAL_NEW_VERSION)
        await until_on(rojak.client, session_id, "v1")
        await rolling.run(id=session_id, type="persistent", task=task("say done"))


SCENARIOS: list[Scenario] = [
    stateless_run_with_a_tool,
    hand_off_and_parallel_tools,
    persistent_turns,
    approvals_of_a_stateless_run,
    approval_that_expires,
    failed_turn,
    large_agent_and_context,
    sequential_tools,
    streamed_run,
    cancelled_in_a_model_call,
    roll_overs,
    runs_that_reach_limits,
    many_callers,
    what_was_sent_twice,
    answers_that_do_not_fit,
    summaries_of_old_messages,
    retrievals,
    agents_by_name,
    sub_agents,
    approvals_that_had_no_room,
    nested_sub_agents_of_a_stateless_run,
    cancelled_with_a_sub_agent,
    tools_of_mcp_servers,
    scheduled_turns,
    moves_to_a_new_version,
]


def anonymous(history: str) -> str:
    """The history without the recording machine's name and paths, on which nothing depends."""
    history = re.sub(r'("identity": )"[^"]*"', r'\1"recorder"', history)
    return re.sub(r'("stackTrace": )"(?:[^"\\]|\\.)*"', r'\1""', history)


async def main(names: list[str]) -> None:
    """Record the scenarios that are named, or those that have no file yet."""
    FOLDER.mkdir(exist_ok=True)
    async with TemporalServer(headless=True) as server, ModelServer() as model:
        model.otherwise().reply(follow_script)
        rojak = Rojak(await Client.connect(server.address), "histories")
        options = OpenAIAgentOptions(api_key="test", base_url=model.base_url, all_functions=FUNCTIONS)
        tools = [HandOffTool(AgentRef(name, task_queue="histories.other"), name) for name in ("other", "pinned")]
        first = OpenAIAgent(name="first", instructions="You are first.", functions=["add"], tools=tools)
        async with rojak.create_worker([OpenAIAgentActivities(options), ShelfActivities()], agents=[first]):
            for scenario in SCENARIOS:
                name = scenario.__name__
                if (names and name not in names) or (not names and list(FOLDER.glob(f"{name}*"))):
                    continue
                await scenario(rojak, model, name)
                # The session's own runs, and those of the sessions that work for it.
                runs = [run async for run in rojak.client.list_workflows(f"WorkflowId STARTS_WITH '{name}'")]
                numbers = Counter[str]()
                for run in sorted(runs, key=lambda run: run.start_time):
                    if run.id != name and not run.id.startswith(f"{name}/"):
                        continue
                    numbers[run.id] += 1
                    handle = rojak.client.get_workflow_handle(run.id, run_id=run.run_id)
                    path = FOLDER / f"{run.id.replace('/', '-')}.{numbers[run.id]}.json"
                    path.write_text(anonymous((await handle.fetch_history()).to_json()) + "\n")
                    print(path.name)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
