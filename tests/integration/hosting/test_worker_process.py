"""`rojak worker --config FILE`, as a cluster and a laptop start it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from rojak import ResumeResponse, Rojak, TaskParams
from rojak.agents import AgentRef
from rojak.client import describe_agent, list_agents
from rojak.testing import ModelServer
from rojak.types import OrchestratorResponse, ResumeRequest
from rojak.types.errors import AgentNotFoundError, NoWorkerError, RunFailedError
from tests.integration.hosting.worker_processes import FUNCTIONS, agent, configuration, started
from tests.integration.session.script import follow_script
from tests.integration.session.versions import make_current, version_of

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def namespace(task_queue: str) -> str:
    return task_queue


@pytest.fixture
def model(model_server: ModelServer) -> ModelServer:
    model_server.otherwise().reply(follow_script)
    return model_server


def task(name: str, *lines: str, **fields: Any) -> TaskParams:
    message: Any = {"role": "user", "content": "\n".join(lines)}
    return TaskParams(agent=AgentRef(name), messages=[message], **fields)


def text(result: Any) -> str:
    assert isinstance(result, OrchestratorResponse), result
    return result.messages[-1].text


async def test_one_process_serves_agents_that_hand_over_by_name(
    temporal_address: str, temporal_client: Client, namespace: str, model: ModelServer, tmp_path: Path
) -> None:
    (tmp_path / "my_tools.py").write_text(FUNCTIONS)
    agents = [
        agent(
            "triage",
            model.base_url,
            namespace,
            instructionsFunction="instruct",
            handoffs=[{"agentRef": {"name": "weather"}, "description": "Knows the weather"}],
            contextVariables={"user": "Ada"},
        ),
        agent(
            "weather",
            model.base_url,
            namespace,
            tools=[{"function": {"name": "my_tools:get_weather"}, "approval": {"mode": "Always"}}],
            model={"headers": [{"name": "X-Team", "value": "blue"}], "parameters": {"temperature": 0.5}},
        ),
    ]
    functions = {"modules": ["my_tools"], "pythonPath": [str(tmp_path)]}
    config = configuration(temporal_address, namespace, agents, functions=functions)
    rojak = Rojak(temporal_client, task_queue=f"{namespace}.triage")
    async with started(tmp_path, config) as worker:
        await worker.ready()
        session = {"id": namespace, "type": "persistent"}
        response = await rojak.run(**session, task=task("triage", "instructions"))  # type: ignore[arg-type]
        assert text(response.result) == "Help Ada."
        script = task("triage", "call transfer_to_weather", 'call get_weather {"city": "Rome"}', "echo")
        response = await rojak.run(**session, task=script)  # type: ignore[arg-type]
        assert isinstance(response.result, ResumeRequest)
        assert response.result.agent_name == "weather"
        approval = ResumeResponse(action="approve", tool_id=response.result.tool_id)
        response = await rojak.run(id=namespace, resume=approval)
        assert text(response.result).endswith("sunny in Rome")
        last = model.requests[-1]
        assert last.headers["x-team"] == "blue"
        assert last.conversation.body["temperature"] == 0.5
        worker.process.terminate()
        assert await worker.end() == 0, worker.log
        assert "Warning" not in worker.log


async def test_a_worker_of_a_version_gets_work_when_its_version_is_current(
    temporal_address: str, temporal_client: Client, namespace: str, model: ModelServer, tmp_path: Path
) -> None:
    deployment = f"{namespace}/pool"
    rojak = Rojak(temporal_client, task_queue=f"{namespace}.a")
    async with contextlib.AsyncExitStack() as stack:
        for build_id in ("v1", "v2"):
            folder = tmp_path / build_id
            folder.mkdir()
            (folder / "my_tools.py").write_text(f"def which() -> str:\n    return '{build_id}'\n")
            agents = [agent("a", model.base_url, namespace, tools=[{"function": {"name": "my_tools:which"}}])]
            functions = {"modules": ["my_tools"], "pythonPath": [str(folder)]}
            versioning = {"deployment": deployment, "buildID": build_id}
            config = configuration(temporal_address, namespace, agents, functions=functions, versioning=versioning)
            # It is ready before its version is the current one.
            await (await stack.enter_async_context(started(folder, config))).ready()
        for turn, build_id in enumerate(("v1", "v2", "v1")):
            await make_current(temporal_client, deployment, build_id)
            response = await rojak.run(id=f"{namespace}-{turn}", task=task("a", "call which", "echo"))
            assert text(response.result) == build_id
        assert await version_of(temporal_client, response.id) == "v1"


async def test_tools_of_mcp_servers_have_the_agents_own_names_filters_and_approvals(
    temporal_address: str, temporal_client: Client, namespace: str, model: ModelServer, tmp_path: Path
) -> None:
    server = {
        "name": "home",
        "command": [sys.executable, "-m", "tests.integration.mcp.server_program", "stdio"],
        "env": [{"name": "PYTHONPATH", "value": str(ROOT)}],
    }
    approval = {"mode": "Destructive", "question": "Really?"}
    mcp = {"serverRef": {"name": "home"}, "prefix": "home_", "include": ["get_weather", "delete_*"]}
    absent = {"mcp": {"serverRef": {"name": "absent"}}}
    agents = [agent("a", model.base_url, namespace, tools=[{"mcp": mcp, "approval": approval}, absent])]
    config = configuration(temporal_address, namespace, agents, mcpServers=[server])
    rojak = Rojak(temporal_client, task_queue=f"{namespace}.a")
    async with started(tmp_path, config) as worker:
        await worker.ready()
        await worker.connected("home")
        script = task("a", 'call home_get_weather {"city": "Rome"}', "call home_delete_everything", "echo")
        response = await rojak.run(id=namespace, type="persistent", task=script)
        assert sorted(model.requests[-1].conversation.tools) == ["home_delete_everything", "home_get_weather"]
        assert isinstance(response.result, ResumeRequest)
        assert (response.result.tool_name, response.result.question) == ("home_delete_everything", "Really?")
        assert "MCP server 'absent', which is not there" in worker.log
        worker.process.terminate()
        assert await worker.end() == 0, worker.log


async def test_agents_are_listed_and_described_by_their_workers(
    temporal_address: str, temporal_client: Client, namespace: str, model: ModelServer, tmp_path: Path
) -> None:
    hand_off = {"agentRef": {"name": "b"}, "description": "Knows b"}
    agents = [
        agent("a", model.base_url, namespace, handoffs=[hand_off], session={"onConfigChange": "Pin"}),
        agent("b", model.base_url, namespace),
    ]
    async with started(tmp_path, configuration(temporal_address, namespace, agents)) as worker:
        await worker.ready()
        found = await describe_agent(temporal_client, f"{namespace}.a", "a")
        assert (found.model, found.pinned, found.tools, found.hands_over_to) == (
            "gpt-5-mini",
            True,
            ["transfer_to_b"],
            ["b"],
        )
        with pytest.raises(AgentNotFoundError, match="know no agent 'c'; they know: 'a'"):
            await describe_agent(temporal_client, f"{namespace}.a", "c")
        async with asyncio.timeout(40):
            while True:
                listed = [a for a in await list_agents(temporal_client) if a.task_queue.startswith(namespace)]
                if len(listed) == 2:
                    break
                await asyncio.sleep(0.5)
        assert [a.name for a in listed] == ["a", "b"]
        assert listed[0].revision == found.revision
        assert str(worker.process.pid) in listed[0].workers[0]
    with pytest.raises(NoWorkerError, match="no worker on task queue"):
        await describe_agent(temporal_client, f"{namespace}.nobody", "nobody")


async def test_health_says_alive_and_readiness_says_polling(
    temporal_address: str, namespace: str, model: ModelServer, tmp_path: Path
) -> None:
    config = configuration(temporal_address, namespace, [agent("a", model.base_url, namespace)])
    async with started(tmp_path, config) as worker:
        await worker.until(lambda: "metrics at port" in worker.log)
        assert await worker.get("/healthz") == (200, "ok\n")
        await worker.ready()
        assert (await worker.get("/nowhere"))[0] == 404
        worker.process.terminate()
        assert await worker.end() == 0


async def test_a_worker_that_is_told_to_stop_finishes_the_call_that_it_makes(
    temporal_address: str, temporal_client: Client, namespace: str, model_server: ModelServer, tmp_path: Path
) -> None:
    gate = model_server.when(last_user="hold").reply("held").hold()
    config = configuration(temporal_address, namespace, [agent("a", model_server.base_url, namespace)])
    rojak = Rojak(temporal_client, task_queue=f"{namespace}.a")
    async with started(tmp_path, config) as worker:
        await worker.ready()
        run = asyncio.create_task(rojak.run(id=namespace, task=task("a", "hold")))
        await model_server.wait_for_requests(1)
        worker.process.terminate()
        await worker.until(lambda: "told to stop" in worker.log)
        assert await worker.get("/readyz") == (503, "draining\n")
        assert (await worker.get("/healthz"))[0] == 200
        gate.release()
        assert await worker.end() == 0, worker.log
        # Whoever comes next goes on from the reply that the first one still got. The caller notices nothing.
        async with started(tmp_path, config):
            assert text((await run).result) == "held"
        assert len(model_server.requests) == 1


async def test_a_worker_that_is_told_twice_ends_at_once_and_another_one_does_the_work(
    temporal_address: str, temporal_client: Client, namespace: str, model_server: ModelServer, tmp_path: Path
) -> None:
    gate = model_server.when(last_user="hold").reply("held").hold()
    config = configuration(temporal_address, namespace, [agent("a", model_server.base_url, namespace)])
    rojak = Rojak(temporal_client, task_queue=f"{namespace}.a")
    async with started(tmp_path, config) as worker:
        await worker.ready()
        run = asyncio.create_task(rojak.run(id=namespace, task=task("a", "hold")))
        await model_server.wait_for_requests(1)
        worker.process.send_signal(signal.SIGINT)
        await worker.until(lambda: "told to stop" in worker.log)
        worker.process.terminate()
        assert await worker.end() == 130
        gate.release()
        async with started(tmp_path, config):
            assert text((await run).result) == "held"


async def test_a_grace_period_that_is_over_gives_the_call_to_another_worker(
    temporal_address: str, temporal_client: Client, namespace: str, model_server: ModelServer, tmp_path: Path
) -> None:
    gate = model_server.when(last_user="hold").reply("held").hold()
    agents = [agent("a", model_server.base_url, namespace)]
    config = configuration(temporal_address, namespace, agents, gracefulShutdown="1s")
    rojak = Rojak(temporal_client, task_queue=f"{namespace}.a")
    async with started(tmp_path, config) as worker:
        await worker.ready()
        run = asyncio.create_task(rojak.run(id=namespace, task=task("a", "hold")))
        await model_server.wait_for_requests(1)
        worker.process.terminate()
        assert await worker.end() == 0, worker.log
        gate.release()
        async with started(tmp_path, config):
            assert text((await run).result) == "held"


async def test_an_agent_whose_secret_is_missing_does_not_stop_the_others(
    temporal_address: str, temporal_client: Client, namespace: str, model: ModelServer, tmp_path: Path
) -> None:
    lost = {"apiKey": {"secretKeyRef": {"name": "lost", "key": "key"}}}
    found = {"apiKey": {"secretKeyRef": {"name": "found", "key": "key"}}}
    agents = [
        agent("lost", model.base_url, namespace, model=lost),
        agent("found", model.base_url, namespace, model=found),
    ]
    secrets = [{"name": name, "key": "key", "env": f"SECRET_{name.upper()}"} for name in ("lost", "found")]
    config = configuration(temporal_address, namespace, agents, secrets=secrets)
    async with started(tmp_path, config, {"SECRET_FOUND": "s3cret-key"}) as worker:
        await worker.ready()
        response = await Rojak(temporal_client, f"{namespace}.found").run(id=namespace, task=task("found", "say hi"))
        assert text(response.result) == "hi"
        assert len(model.requests) == 1
        with pytest.raises(RunFailedError, match=r"'key' of Secret 'lost': set the environment variable SECRET_LOST"):
            await Rojak(temporal_client, f"{namespace}.lost").run(id=f"{namespace}-2", task=task("lost", "say hi"))
        assert "s3cret-key" not in worker.log


def bad_configurations() -> list[tuple[dict[str, Any], str]]:
    def one(**spec: Any) -> dict[str, Any]:
        return {"agents": [agent("a", "http://127.0.0.1:1", "ns", **spec)]}

    def function(name: str) -> dict[str, Any]:
        return one(tools=[{"function": {"name": name}}])

    return [
        (function("nowhere:f"), "Agent 'a' names the function 'nowhere:f', and there is no module 'nowhere'"),
        (function("my_tools:get_wether"), "has no 'get_wether'; did you mean 'get_weather'?"),
        (function("broken:f"), "importing 'broken' failed: ValueError: no luck"),
        (function("get_weather"), "names the function 'get_weather' without its module"),
        (one(model={"apiKey": {"secretKeyRef": {"name": "s", "key": "k"}}}), "needs key 'k' of Secret 's'"),
        (one(model={"provider": "anthropic"}), "Agent 'a' has no API key"),
        (
            one(tools=[{"function": {"name": "my_tools:get_weather"}}] * 2),
            "Agent 'a' has two tools named 'get_weather'",
        ),
        (one(unknown=1), "agents.0.spec.unknown"),
        ({"version": 2}, "this worker reads version 1"),
        ({"temporal": {"address": "127.0.0.1:1"}, **one()}, "Temporal cannot be reached at 127.0.0.1:1"),
        ({"functions": {"modules": ["absent"]}, **one()}, "there is no module 'absent'"),
    ]


@pytest.mark.parametrize(("fields", "said"), bad_configurations(), ids=lambda value: str(value)[:40])
async def test_what_cannot_work_is_one_clear_line_before_any_work_is_taken(
    temporal_address: str, tmp_path: Path, fields: dict[str, Any], said: str
) -> None:
    (tmp_path / "my_tools.py").write_text(FUNCTIONS)
    (tmp_path / "broken.py").write_text("raise ValueError('no luck')\n")
    config = {**configuration(temporal_address, "ns", []), **fields}
    config.setdefault("functions", {"pythonPath": [str(tmp_path)]})
    async with started(tmp_path, config) as worker:
        assert await worker.end() == 1
        errors = [line for line in worker.lines if line.startswith("error: ")]
        assert len(errors) == 1, worker.log
        assert said in errors[0]
        assert "Traceback" not in worker.log
