"""Looking things up as a tool: the model decides when, and for what."""

from __future__ import annotations

import pytest
from qdrant_client import AsyncQdrantClient

from rojak import OrchestratorResponse, Rojak, TaskParams
from rojak.agents import Interrupt, OpenAIAgent
from rojak.retrievers import QdrantRetriever, QdrantRetrieverActivities, QdrantRetrieverOptions
from rojak.testing import ModelServer, call
from rojak.types import ResumeRequest, ResumeResponse
from tests.integration.retrievers.knowledge import COLLECTION, embed, provider
from tests.integration.retrievers.qdrant_service import QdrantService

TOOL = QdrantRetriever().as_tool(name="look_up", description="Searches the handbook.")


def task(**fields: object) -> TaskParams:
    agent = OpenAIAgent(tools=[TOOL], **fields)  # type: ignore[arg-type]
    return TaskParams(agent=agent, messages=[{"role": "user", "content": "Hello"}])


@pytest.fixture
def activities(store: AsyncQdrantClient) -> QdrantRetrieverActivities:
    options = QdrantRetrieverOptions(
        client=store, collection_name=COLLECTION, embed=embed, limit=1, score_threshold=0.2
    )
    return QdrantRetrieverActivities(options)


def results(model: ModelServer) -> list[str]:
    """What the model was told of its calls."""
    return model.requests[-1].conversation.tool_results


async def test_the_model_looks_several_things_up_at_once(
    rojak: Rojak, model_server: ModelServer, activities: QdrantRetrieverActivities
) -> None:
    queries = ["When does the office open?", "Can penguins fly?", "xyzzy"]
    model_server.when(last_role="user").reply(tool_calls=[call("look_up", query=query) for query in queries])
    model_server.otherwise().reply("I see.")
    async with rojak.create_worker([provider(model_server), activities]):
        response = await rojak.run(id=rojak.task_queue, task=task())
    assert results(model_server) == [
        "[page 0] The office opens at nine.",
        "[page 1] Penguins cannot fly.",
        "Nothing was found.",
    ]
    assert model_server.requests[0].conversation.tools == ["look_up"]
    assert isinstance(response.result, OrchestratorResponse)
    assert response.result.messages[-1].text == "I see."


@pytest.mark.parametrize("arguments", ["{}", '{"query": 3}', "nonsense", '{"query": " "}'])
async def test_wrong_arguments_are_told_to_the_model(
    rojak: Rojak, model_server: ModelServer, activities: QdrantRetrieverActivities, arguments: str
) -> None:
    model_server.when(last_role="user").reply(tool_calls=[call("look_up", raw=arguments)])
    model_server.otherwise().reply("I see.")
    async with rojak.create_worker([provider(model_server), activities]):
        await rojak.run(id=rojak.task_queue, task=task())
    assert results(model_server) == ['Error: look_up takes {"query": "what to look for"}']


async def test_a_store_that_is_down_is_told_to_the_model(
    rojak: Rojak, model_server: ModelServer, service: QdrantService
) -> None:
    await service.stop()
    options = QdrantRetrieverOptions(url=service.url, collection_name=COLLECTION, embed=embed)
    model_server.when(last_role="user").reply(tool_calls=[call("look_up", query="office")])
    model_server.otherwise().reply("I cannot say.")
    async with rojak.create_worker([provider(model_server), QdrantRetrieverActivities(options)]):
        response = await rojak.run(id=rojak.task_queue, task=task())
    (told,) = results(model_server)
    assert told.startswith(f"Error: the look-up failed: Qdrant at {service.url} does not answer (ConnectError)")
    assert isinstance(response.result, OrchestratorResponse)
    assert response.result.messages[-1].text == "I cannot say."


async def test_a_look_up_may_need_approval_and_other_words(
    rojak: Rojak, model_server: ModelServer, activities: QdrantRetrieverActivities
) -> None:
    model_server.when(last_role="user").reply(tool_calls=[call("look_up", query="penguins")])
    model_server.otherwise().reply("I see.")
    async with rojak.create_worker([provider(model_server), activities]):
        response = await rojak.run(id=rojak.task_queue, task=task(interrupts=[Interrupt("look_up")]))
        assert isinstance(response.result, ResumeRequest)
        assert response.result.tool_name == "look_up"
        approve = ResumeResponse(
            action="approve", tool_id=response.result.tool_id, tool_arguments={"query": "Lunch at noon"}
        )
        await rojak.run(id=rojak.task_queue, resume=approve)
    assert results(model_server) == ["[page 2] Lunch is at noon."]


def test_a_tool_is_named_after_its_retriever_and_survives_the_way_to_the_worker() -> None:
    assert QdrantRetriever().as_tool(description="x").name == "search_qdrant"
    tool = QdrantRetriever(name="Staff handbook").as_tool(description="x")
    assert tool.name == "search_staff_handbook"
    agent = OpenAIAgent(tools=[tool])
    revived = OpenAIAgent.model_validate_json(agent.model_dump_json(exclude_unset=True))
    assert revived.tools == [tool]
    with pytest.raises(ValueError, match="no name of a tool"):
        QdrantRetriever().as_tool(name="a b", description="x")
