"""Knowledge from Qdrant's embedded engine in an agent's instructions, and what happens without it."""

from __future__ import annotations

import hashlib
import logging
import math
import time

import pytest
from qdrant_client import AsyncQdrantClient, models
from temporalio.client import Client

from rojak import OrchestratorResponse, Rojak, TaskParams
from rojak.agents import OpenAIAgent, OpenAIAgentActivities, OpenAIAgentOptions
from rojak.retrievers import QdrantRetriever, QdrantRetrieverActivities, QdrantRetrieverOptions
from rojak.testing import ModelServer, Reply
from rojak.types.errors import ConfigurationError

SIZE = 64


def embed(text: str) -> list[float]:
    """Words as directions: texts with common words are near each other."""
    vector = [0.0] * SIZE
    for word in text.lower().split():
        vector[int(hashlib.blake2b(word.strip(".?!").encode()).hexdigest(), 16) % SIZE] += 1.0
    length = math.sqrt(sum(value * value for value in vector)) or 1.0
    return [value / length for value in vector]


@pytest.fixture
async def store() -> AsyncQdrantClient:
    client = AsyncQdrantClient(":memory:")
    parameters = models.VectorParams(size=SIZE, distance=models.Distance.COSINE)
    await client.create_collection("handbook", vectors_config=parameters)
    passages = ["The office opens at nine.", "Penguins cannot fly.", "Lunch is at noon."]
    points = [
        models.PointStruct(id=number, vector=embed(text), payload={"text": text, "source": f"page {number}"})
        for number, text in enumerate(passages)
    ]
    await client.upsert("handbook", points)
    return client


async def ask(client: Client, task_queue: str, model: ModelServer, activities: QdrantRetrieverActivities) -> str:
    """What the model was instructed to do."""
    model.otherwise().reply(lambda conversation: Reply(conversation.system))
    rojak = Rojak(client, task_queue)
    agents = OpenAIAgentActivities(OpenAIAgentOptions(api_key="test", base_url=model.base_url))
    async with rojak.create_worker([agents, activities]):
        agent = OpenAIAgent(instructions="Answer.", retriever=QdrantRetriever())
        task = TaskParams(agent=agent, messages=[{"role": "user", "content": "When does the office open?"}])
        response = await rojak.run(id=task_queue, task=task)
    assert isinstance(response.result, OrchestratorResponse)
    return response.result.messages[-1].text


async def test_what_is_found_goes_into_the_instructions_with_its_source(
    temporal_client: Client, task_queue: str, model_server: ModelServer, store: AsyncQdrantClient
) -> None:
    options = QdrantRetrieverOptions(client=store, collection_name="handbook", embed=embed, limit=1)
    system = await ask(temporal_client, task_queue, model_server, QdrantRetrieverActivities(options))
    assert system.startswith("Answer.")
    assert "[page 0] The office opens at nine." in system
    assert "Penguins" not in system


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"path": ":memory:", "collection_name": "missing"}, id="no such collection"),
        pytest.param({"url": "http://127.0.0.1:1", "collection_name": "handbook"}, id="store is down"),
    ],
)
async def test_an_agent_goes_on_without_a_store_that_fails(
    temporal_client: Client,
    task_queue: str,
    model_server: ModelServer,
    options: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    activities = QdrantRetrieverActivities(QdrantRetrieverOptions(**options, embed=embed))
    began = time.monotonic()
    with caplog.at_level(logging.WARNING):
        assert await ask(temporal_client, task_queue, model_server, activities) == "Answer."
    assert time.monotonic() - began < 20
    assert "retrieval failed" in caplog.text


async def test_an_agent_whose_retriever_nobody_serves_goes_on_without(
    temporal_client: Client, task_queue: str, model_server: ModelServer
) -> None:
    model_server.otherwise().reply(lambda conversation: Reply(conversation.system))
    rojak = Rojak(temporal_client, task_queue)
    agents = OpenAIAgentActivities(OpenAIAgentOptions(api_key="test", base_url=model_server.base_url))
    async with rojak.create_worker([agents]):
        agent = OpenAIAgent(instructions="Answer.", retriever=QdrantRetriever())
        task = TaskParams(agent=agent, messages=[{"role": "user", "content": "Hi"}])
        response = await rojak.run(id=task_queue, task=task)
    assert isinstance(response.result, OrchestratorResponse)
    assert response.result.messages[-1].text == "Answer."


def test_the_place_of_the_store_has_to_be_said() -> None:
    with pytest.raises(ConfigurationError, match="where is the store"):
        QdrantRetrieverActivities(QdrantRetrieverOptions(collection_name="handbook"))


def test_the_key_is_never_shown() -> None:
    assert "secret" not in repr(QdrantRetrieverOptions(url="http://x", api_key="secret", collection_name="c"))
