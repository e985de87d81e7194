"""What a worker process sends to an OTLP endpoint."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from qdrant_client import AsyncQdrantClient
from temporalio.client import Client

from rojak import ResumeResponse, Rojak
from rojak.testing import ModelServer
from rojak.types import ResumeRequest
from rojak.types.errors import RunFailedError
from tests.integration.hosting.collector import Collector, collecting
from tests.integration.hosting.test_worker_process import task
from tests.integration.hosting.worker_processes import FUNCTIONS, agent, configuration, started
from tests.integration.retrievers.knowledge import COLLECTION, fill
from tests.integration.retrievers.qdrant_service import QdrantService
from tests.integration.session.script import follow_script

pytestmark = pytest.mark.timeout(120)

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ["call transfer_to_weather", 'call get_weather {"city": "Zanzibar"}', "say secret"]


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture
def config(temporal_address: str, task_queue: str, model_server: ModelServer, tmp_path: Path) -> dict[str, Any]:
    model_server.when(last_user="refused").error(400, "no")
    model_server.otherwise().reply(follow_script)
    (tmp_path / "my_tools.py").write_text(FUNCTIONS)
    weather = {"function": {"name": "get_weather"}}
    agents = [
        agent(
            "triage",
            model_server.base_url,
            task_queue,
            handoffs=[{"agentRef": {"name": "weather"}, "description": "Knows the weather"}],
            tools=[
                weather | {"approval": {"mode": "Always"}},
                {"agent": {"agentRef": {"name": "weather"}, "description": "Ask about weather"}},
            ],
            model={"parameters": {"temperature": 0.5}},
        ),
        agent("weather", model_server.base_url, task_queue, tools=[weather]),
    ]
    functions = {"modules": ["my_tools"], "pythonPath": [str(tmp_path)]}
    return configuration(temporal_address, task_queue, agents, functions=functions)


def with_knowledge(address: str, namespace: str, model: ModelServer, store: QdrantService) -> dict[str, Any]:
    """The configuration of an agent with an MCP server and a handbook."""
    embed = "tests.integration.retrievers.knowledge:embed"
    handbook = {"url": store.url, "collection": COLLECTION, "limit": 2, "embedFunction": embed}
    tools = [
        {"mcp": {"serverRef": {"name": "home"}, "prefix": "home_"}},
        {"retriever": {"qdrant": handbook, "description": "The handbook", "name": "search_handbook"}},
    ]
    server = {
        "name": "home",
        "command": [sys.executable, "-m", "tests.integration.mcp.server_program", "stdio"],
        "env": [{"name": "PYTHONPATH", "value": str(ROOT)}],
    }
    functions = {"pythonPath": [str(ROOT)]}
    agents = [agent("a", model.base_url, namespace, tools=tools)]
    return configuration(address, namespace, agents, functions=functions, mcpServers=[server])


def environment(collector: Collector, **more: str) -> dict[str, str]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100", **more}


async def test_a_turn_is_one_trace_below_its_caller_without_content(
    temporal_client: Client, task_queue: str, tmp_path: Path, config: dict[str, Any], collector: Collector
) -> None:
    rojak = Rojak(temporal_client, task_queue=f"{task_queue}.triage")
    async with started(tmp_path, config, environment(collector)) as worker:
        await worker.ready()
        with TracerProvider().get_tracer("test").start_as_current_span("request") as request:
            await rojak.run(id=task_queue, type="persistent", task=task("triage", *SCRIPT))
        await collector.until(lambda: bool(collector.named("invoke_agent triage")))
        # Told to stop, it sends what is left.
        worker.process.terminate()
        assert await worker.end() == 0
    (turn,) = collector.named("invoke_agent triage")
    context = request.get_span_context()
    assert turn.trace_id == trace.format_trace_id(context.trace_id)
    assert turn.parent_id == trace.format_span_id(context.span_id)
    assert turn.attributes["gen_ai.conversation.id"] == task_queue
    assert turn.attributes["rojak.outcome"] == "answered"
    calls = [span for span in collector.spans if span is not turn]
    assert sorted(span.name for span in calls) == [
        *["chat gpt-5-mini"] * 3,
        "execute_tool get_weather",
        "handoff weather",
    ]
    assert {(span.trace_id, span.parent_id) for span in calls} == {(turn.trace_id, turn.span_id)}
    assert all(turn.start <= span.start <= span.end <= turn.end + 1e9 for span in calls)
    chats = sorted(collector.named("chat gpt-5-mini"), key=lambda span: span.start)
    assert [span.attributes["gen_ai.agent.name"] for span in chats] == ["triage", "weather", "weather"]
    first = chats[0].attributes
    assert first["gen_ai.operation.name"] == "chat"
    assert first["gen_ai.provider.name"] == "openai"
    assert first["gen_ai.request.temperature"] == 0.5
    assert first["gen_ai.usage.input_tokens"] > 0
    assert first["gen_ai.response.finish_reasons"] == ["tool_calls"]
    assert first["server.address"] == "127.0.0.1"
    (tool,) = collector.named("execute_tool get_weather")
    assert tool.attributes["gen_ai.tool.type"] == "function"
    assert tool.attributes["gen_ai.tool.description"] == "Tell the weather."
    assert collector.services == {"rojak-worker-pool"}
    assert "Zanzibar" not in collector.text()
    assert "secret" not in collector.text()


async def test_content_is_there_for_who_asks_for_it(
    temporal_client: Client, task_queue: str, tmp_path: Path, config: dict[str, Any], collector: Collector
) -> None:
    rojak = Rojak(temporal_client, task_queue=f"{task_queue}.triage")
    env = environment(collector, OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="true", OTEL_SERVICE_NAME="mine")
    async with started(tmp_path, config, env) as worker:
        await worker.ready()
        await rojak.run(id=task_queue, type="persistent", task=task("triage", *SCRIPT))
        await collector.until(lambda: bool(collector.named("invoke_agent triage")))
        worker.process.terminate()
        await worker.end()
    (tool,) = collector.named("execute_tool get_weather")
    assert tool.attributes["gen_ai.tool.call.arguments"] == '{"city": "Zanzibar"}'
    assert tool.attributes["gen_ai.tool.call.result"] == "sunny in Zanzibar"
    last = max(collector.named("chat gpt-5-mini"), key=lambda span: span.start).attributes
    assert '"content": "secret"' in last["gen_ai.output.messages"]
    assert "sunny in Zanzibar" in last["gen_ai.input.messages"]
    assert "You are weather." in last["gen_ai.system_instructions"]
    assert "get_weather" in last["gen_ai.tool.definitions"]
    assert collector.services == {"mine"}


async def test_a_turn_that_outlives_its_worker_has_one_span(
    temporal_client: Client, task_queue: str, tmp_path: Path, config: dict[str, Any], collector: Collector
) -> None:
    rojak = Rojak(temporal_client, task_queue=f"{task_queue}.triage")
    async with started(tmp_path, config, environment(collector)) as worker:
        await worker.ready()
        waiting = await rojak.run(id=task_queue, type="persistent", task=task("triage", SCRIPT[1], "say done"))
        assert isinstance(waiting.result, ResumeRequest)
        await collector.until(lambda: bool(collector.named("chat gpt-5-mini")))
        worker.process.kill()
    async with started(tmp_path, config, environment(collector)) as worker:
        await worker.ready()
        await rojak.run(id=task_queue, resume=ResumeResponse(action="approve", tool_id=waiting.result.tool_id))
        await collector.until(lambda: bool(collector.named("invoke_agent triage")))
    (turn,) = collector.named("invoke_agent triage")
    calls = [span for span in collector.spans if span is not turn]
    assert sorted(span.name for span in calls) == [*["chat gpt-5-mini"] * 2, "execute_tool get_weather"]
    assert {(span.trace_id, span.parent_id) for span in calls} == {(turn.trace_id, turn.span_id)}
    assert turn.parent_id == ""


async def test_failures_have_their_class_and_not_their_text(
    temporal_client: Client, task_queue: str, tmp_path: Path, config: dict[str, Any], collector: Collector
) -> None:
    rojak = Rojak(temporal_client, task_queue=f"{task_queue}.triage")
    async with started(tmp_path, config, environment(collector)) as worker:
        await worker.ready()
        with pytest.raises(RunFailedError):
            await rojak.run(id=task_queue, task=task("triage", "refused"))
        await collector.until(lambda: bool(collector.named("invoke_agent triage")))
    for name in ("invoke_agent triage", "chat gpt-5-mini"):
        (span,) = collector.named(name)
        assert span.attributes["error.type"] == "BadRequestError"
        assert span.status == 2


async def test_an_agent_that_works_for_another_is_in_its_trace(
    temporal_client: Client, task_queue: str, tmp_path: Path, config: dict[str, Any], collector: Collector
) -> None:
    rojak = Rojak(temporal_client, task_queue=f"{task_queue}.triage")
    async with started(tmp_path, config, environment(collector)) as worker:
        await worker.ready()
        script = task("triage", 'call ask_weather {"message": "say sunny"}', "echo")
        await rojak.run(id=task_queue, type="persistent", task=script)
        await collector.until(lambda: len(collector.named("invoke_agent triage")) == 1)
        worker.process.terminate()
        await worker.end()
    (caller,), (child,) = collector.named("invoke_agent triage"), collector.named("invoke_agent weather")
    assert (child.trace_id, child.parent_id) == (caller.trace_id, caller.span_id)


async def test_calls_of_mcp_servers_and_look_ups_have_spans(
    temporal_address: str,
    temporal_client: Client,
    task_queue: str,
    model_server: ModelServer,
    tmp_path: Path,
    collector: Collector,
) -> None:
    model_server.otherwise().reply(follow_script)
    rojak = Rojak(temporal_client, task_queue=f"{task_queue}.a")
    engine = AsyncQdrantClient(":memory:")
    await fill(engine)
    async with QdrantService(engine) as store:
        config = with_knowledge(temporal_address, task_queue, model_server, store)
        async with started(tmp_path, config, environment(collector)) as worker:
            await worker.ready()
            script = [
                'call home_get_weather {"city": "Zanzibar"}; home_break_down {}',
                'call search_handbook {"query": "when does the office open"}',
            ]
            await rojak.run(id=task_queue, type="persistent", task=task("a", *script, "say secret"))
            store.failing = 400
            await rojak.run(id=task_queue, type="persistent", task=task("a", script[1]))
            worker.process.terminate()
            assert await worker.end() == 0, worker.log
    first, second = sorted(collector.named("invoke_agent a"), key=lambda span: span.start)
    (weather,) = collector.named("execute_tool home_get_weather")
    (failed,) = collector.named("execute_tool home_break_down")
    for span in (weather, failed):
        assert (span.trace_id, span.parent_id) == (first.trace_id, first.span_id)
    assert weather.attributes == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "home_get_weather",
        "gen_ai.tool.type": "extension",
        "gen_ai.tool.call.id": weather.attributes["gen_ai.tool.call.id"],
        "gen_ai.agent.name": "a",
        "gen_ai.conversation.id": task_queue,
        "mcp.method.name": "tools/call",
        "rojak.mcp.server": "home",
    }
    assert weather.attributes["gen_ai.tool.call.id"] != failed.attributes["gen_ai.tool.call.id"]
    assert (failed.attributes["error.type"], failed.status) == ("MCPToolError", 2)
    # A store that fails is asked once more, and each attempt has its span.
    found, *missed = sorted(collector.named("retrieval qdrant/search_handbook"), key=lambda span: span.start)
    assert (found.trace_id, found.parent_id) == (first.trace_id, first.span_id)
    assert found.attributes == {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.conversation.id": task_queue,
        "rojak.retriever": "qdrant/search_handbook",
        "rojak.retrieval.results": 2,
    }
    assert len(missed) == 2
    for span in missed:
        assert (span.trace_id, span.parent_id) == (second.trace_id, second.span_id)
        assert (span.attributes["error.type"], span.status) == ("RetrievalError", 2)
        assert "rojak.retrieval.results" not in span.attributes
    for content in ("Zanzibar", "office", "Penguins", "secret", "cable"):
        assert content not in collector.text()


async def test_queries_and_results_are_there_for_who_asks_for_content(
    temporal_address: str,
    temporal_client: Client,
    task_queue: str,
    model_server: ModelServer,
    tmp_path: Path,
    collector: Collector,
) -> None:
    model_server.otherwise().reply(follow_script)
    rojak = Rojak(temporal_client, task_queue=f"{task_queue}.a")
    env = environment(collector, OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="true")
    engine = AsyncQdrantClient(":memory:")
    await fill(engine)
    async with QdrantService(engine) as store:
        config = with_knowledge(temporal_address, task_queue, model_server, store)
        async with started(tmp_path, config, env) as worker:
            await worker.ready()
            calls = 'call home_get_weather {"city": "Zanzibar"}; search_handbook {"query": "lunch"}'
            await rojak.run(id=task_queue, task=task("a", calls, "say done"))
            worker.process.terminate()
            assert await worker.end() == 0, worker.log
    (tool,) = collector.named("execute_tool home_get_weather")
    assert tool.attributes["gen_ai.tool.call.arguments"] == '{"city": "Zanzibar"}'
    assert tool.attributes["gen_ai.tool.call.result"] == "22 degrees celsius in Zanzibar"
    (look_up,) = collector.named("retrieval qdrant/search_handbook")
    assert look_up.attributes["gen_ai.retrieval.query.text"] == "lunch"


async def test_an_endpoint_that_is_not_there_keeps_nobody_from_working(
    temporal_client: Client, task_queue: str, tmp_path: Path, config: dict[str, Any]
) -> None:
    rojak = Rojak(temporal_client, task_queue=f"{task_queue}.triage")
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    async with started(tmp_path, config, env) as worker:
        await worker.ready()
        await rojak.run(id=task_queue, task=task("triage", *SCRIPT))
        worker.process.terminate()
        assert await worker.end() == 0
