"""Programs written for version 1 run as they are: classes, arguments, defaults, and where they are imported from."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from temporalio.client import Client

from rojak import Rojak, ScheduleIntervalSpec, ScheduleSpec
from rojak.agent import Interrupt
from rojak.agents import AgentExecuteFnResult, OpenAIAgent, OpenAIAgentActivities, OpenAIAgentOptions
from rojak.agents.openai_agent import OpenAIAgent as OpenAIAgentOfItsModule
from rojak.retrievers import QdrantRetriever, QdrantRetrieverActivities, QdrantRetrieverOptions
from rojak.testing import ModelServer, call
from rojak.types import MCPServerConfig, RetryOptions, RetryPolicy
from rojak.utils import function_to_json
from rojak.workflows import OrchestratorResponse, ResumeRequest, ResumeResponse, TaskParams


@pytest.fixture(autouse=True)
def provider(model_server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> ModelServer:
    """Programs name no key and no address: the SDK takes them from the environment."""
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.setenv("OPENAI_BASE_URL", model_server.base_url)
    return model_server


@pytest.fixture
async def rojak(temporal_client: Client, task_queue: str) -> AsyncIterator[Rojak]:
    return Rojak(client=temporal_client, task_queue=task_queue)


def test_the_defaults_of_an_agent() -> None:
    agent = OpenAIAgent()
    assert (agent.name, agent.instructions) == ("Agent", "You are a helpful assistant.")
    assert (agent.functions, agent.interrupts, agent.tool_choice) == ([], [], None)
    assert agent.parallel_tool_calls
    assert agent.retriever is None
    assert agent.retry_options == RetryOptions()
    assert OpenAIAgentOfItsModule is OpenAIAgent
    assert OpenAIAgent(interrupts=[Interrupt("pay")]).interrupts[0].when == "before"
    assert OpenAIAgent(retriever=QdrantRetriever()).retriever == QdrantRetriever()


def test_the_options_that_version_1_had() -> None:
    options = RetryOptions(timeout_in_seconds=120, retry_policy=RetryPolicy(maximum_attempts=10))
    assert OpenAIAgent(retry_options=options).retry_options.timeout_in_seconds == 120
    assert MCPServerConfig(type="stdio", command="python", args=["server.py"]).command == "python"
    assert MCPServerConfig(type="sse", url="http://127.0.0.1/sse").url
    assert QdrantRetrieverActivities(QdrantRetrieverOptions(url="http://127.0.0.1:1", collection_name="c"))


def test_the_schema_of_a_function() -> None:
    def order(dish, count: int, place: str = "here"):  # type: ignore[no-untyped-def]
        """Orders a dish.

        Args:
           dish: What.
        """

    schema = function_to_json(order)
    assert schema == {
        "type": "function",
        "function": {
            "name": "order",
            "description": "Orders a dish.\n\nArgs:\n   dish: What.",
            "parameters": {
                "type": "object",
                "properties": {"dish": {"type": "string"}, "count": {"type": "integer"}, "place": {"type": "string"}},
                "required": ["dish", "count"],
            },
        },
    }


def test_a_worker_may_be_made_with_and_without_await_and_by_keyword(rojak: Rojak) -> None:
    assert rojak.create_worker([OpenAIAgentActivities()])
    assert rojak.create_worker(agent_activities=[OpenAIAgentActivities()])


async def test_a_hand_off_with_everything_at_once(rojak: Rojak, provider: ModelServer) -> None:
    sales = OpenAIAgent(name="Sales")

    def to_sales(context_variables):  # type: ignore[no-untyped-def]
        return AgentExecuteFnResult(
            output="Done", agent=sales, context_variables={**context_variables, "department": "sales"}
        )

    provider.when(last_role="user").reply(tool_calls=[call("to_sales")])
    provider.otherwise().reply("Sales here.")
    worker = await rojak.create_worker([OpenAIAgentActivities(OpenAIAgentOptions(all_functions=[to_sales]))])
    async with worker:
        response = await rojak.run(
            id=str(uuid.uuid4()),
            type="stateless",
            task=TaskParams(
                agent=OpenAIAgent(functions=["to_sales"]),
                messages=[{"role": "user", "content": "Sales, please"}],
                context_variables={"user": "Ann"},
            ),
            debug=True,
        )
    assert isinstance(response.result, OrchestratorResponse)
    assert response.result.agent is not None
    assert response.result.agent.name == "Sales"
    assert response.result.context_variables == {"department": "sales", "user": "Ann"}
    assert response.result.messages[-1].content == "Sales here."


async def test_an_interrupt_and_its_resumption(rojak: Rojak, provider: ModelServer) -> None:
    def process_payment() -> str:
        return "paid"

    provider.when(last_role="user").reply(tool_calls=[call("process_payment")])
    provider.otherwise().reply(lambda conversation: conversation.tool_results[-1])
    agent = OpenAIAgent(name="A", functions=["process_payment"], interrupts=[Interrupt("process_payment")])
    worker = await rojak.create_worker([OpenAIAgentActivities(OpenAIAgentOptions(all_functions=[process_payment]))])
    session_id = str(uuid.uuid4())
    async with worker:
        task = TaskParams(agent=agent, messages=[{"role": "user", "content": "Pay"}])
        response = await rojak.run(id=session_id, type="persistent", task=task, history_size=5, max_turns=float("inf"))
        assert isinstance(response.result, ResumeRequest)
        assert response.result.tool_name == "process_payment"
        decision = ResumeResponse(action="approve", tool_id=response.result.tool_id)
        final = await rojak.run(id=session_id, resume=decision)
    assert isinstance(final.result, OrchestratorResponse)
    assert final.result.messages[-1].content == "paid"


async def test_a_schedule_and_its_runs(rojak: Rojak, provider: ModelServer, task_queue: str) -> None:
    provider.otherwise().reply("Hello!")
    handle = await rojak.create_schedule(
        schedule_id=task_queue,
        schedule_spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(seconds=1))]),
        task=TaskParams(agent=OpenAIAgent(), messages=[{"role": "user", "content": "Hello"}]),
    )
    worker = await rojak.create_worker(agent_activities=[OpenAIAgentActivities()])
    try:
        async with worker:
            while not (runs := [run async for run in rojak.list_scheduled_runs(task_queue, statuses=["Completed"])]):
                await asyncio_pause()
            result = await rojak.get_result(runs[0])
        # The worker can be used again.
        async with worker:
            assert await rojak.get_run_result(runs[0]) == result
    finally:
        await handle.delete()
    assert isinstance(result, OrchestratorResponse)
    assert result.messages[-1].content == "Hello!"


async def asyncio_pause() -> None:
    """Visibility is eventually consistent: there is nothing to await."""
    import asyncio

    await asyncio.sleep(0.1)
