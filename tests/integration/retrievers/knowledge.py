"""A small handbook, a way to embed it that needs nothing, and what the tests of retrievers ask."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import Any

from qdrant_client import AsyncQdrantClient, models

from rojak import OrchestratorResponse, Rojak, RunResponse, TaskParams
from rojak.agents import OpenAIAgent, OpenAIAgentActivities, OpenAIAgentOptions
from rojak.retrievers import QdrantRetriever, RetrieverActivities
from rojak.testing import ModelServer, Reply

SIZE = 64
PASSAGES = ["The office opens at nine.", "Penguins cannot fly.", "Lunch is at noon."]
QUESTION = "When does the office open?"
COLLECTION = "handbook"


def embed(text: str) -> list[float]:
    """Words as directions: texts with common words are near each other."""
    vector = [0.0] * SIZE
    for word in text.lower().split():
        vector[int(hashlib.blake2b(word.strip(".?!").encode()).hexdigest(), 16) % SIZE] += 1.0
    length = math.sqrt(sum(value * value for value in vector)) or 1.0
    return [value / length for value in vector]


async def fill(client: AsyncQdrantClient, collection: str = COLLECTION, **vectors: Any) -> None:
    """Make the collection and put the handbook into it."""
    parameters = models.VectorParams(size=SIZE, distance=models.Distance.COSINE)
    await client.create_collection(collection, vectors_config=vectors.get("config", parameters))
    points = [
        models.PointStruct(
            id=number,
            vector=embed(text) if not vectors else {"words": embed(text)},
            payload={"text": text, "source": f"page {number}"},
        )
        for number, text in enumerate(PASSAGES)
    ]
    await client.upsert(collection, points)


def provider(model: ModelServer, *functions: Callable[..., Any]) -> OpenAIAgentActivities:
    """Calls the scripted model."""
    options = OpenAIAgentOptions(api_key="test", base_url=model.base_url, all_functions=list(functions))
    return OpenAIAgentActivities(options)


def quote_instructions(model: ModelServer) -> None:
    """Let the model answer with what it was instructed to do."""
    model.otherwise().reply(lambda conversation: Reply(conversation.system))


async def ask(rojak: Rojak, question: str = QUESTION, **fields: Any) -> RunResponse:
    """Ask an agent with a retriever."""
    agent = OpenAIAgent(**({"instructions": "Answer.", "retriever": QdrantRetriever()} | fields))
    task = TaskParams(agent=agent, messages=[{"role": "user", "content": question}])
    return await rojak.run(id=f"session-{rojak.task_queue}", type="persistent", task=task)


async def instructions(rojak: Rojak, model: ModelServer, *activities: RetrieverActivities) -> str:
    """What the model was instructed to do by an agent with a retriever."""
    quote_instructions(model)
    async with rojak.create_worker([provider(model), *activities]):
        return answer(await ask(rojak))


def answer(response: RunResponse) -> str:
    """The text of the last message."""
    assert isinstance(response.result, OrchestratorResponse), response.result
    return response.result.messages[-1].text
