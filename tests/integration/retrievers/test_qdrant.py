"""Knowledge from Qdrant's embedded engine in an agent's instructions, and what happens without it."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import pytest
from qdrant_client import AsyncQdrantClient, models

from rojak import OrchestratorResponse, Rojak, TaskParams
from rojak.agents import OpenAIAgent
from rojak.retrievers import QdrantRetriever, QdrantRetrieverActivities, QdrantRetrieverOptions
from rojak.session.limits import RETRIEVED_BYTES
from rojak.testing import ModelServer, Reply, call
from rojak.types.errors import ConfigurationError, RetrievalError
from tests.integration.retrievers.knowledge import (
    COLLECTION,
    QUESTION,
    SIZE,
    answer,
    ask,
    embed,
    fill,
    instructions,
    provider,
    quote_instructions,
)


def activities(**options: Any) -> QdrantRetrieverActivities:
    return QdrantRetrieverActivities(
        QdrantRetrieverOptions(**{"collection_name": COLLECTION, "embed": embed} | options)
    )


async def embed_async(text: str) -> tuple[float, ...]:
    return tuple(embed(text))


@pytest.mark.parametrize("embedding", [embed, embed_async], ids=["sync", "async"])
async def test_what_is_found_goes_into_the_instructions_with_its_source(
    rojak: Rojak, model_server: ModelServer, store: AsyncQdrantClient, embedding: Any
) -> None:
    system = await instructions(rojak, model_server, activities(client=store, limit=1, embed=embedding))
    assert system.startswith("Answer.")
    assert "[page 0] The office opens at nine." in system
    assert "Penguins" not in system


async def test_it_is_found_anew_for_each_turn_and_kept_in_no_conversation(
    rojak: Rojak, model_server: ModelServer, store: AsyncQdrantClient
) -> None:
    quote_instructions(model_server)
    async with rojak.create_worker([provider(model_server), activities(client=store, limit=1)]):
        first = await ask(rojak)
        second = await ask(rojak, "Can penguins fly?")
        plain = await ask(rojak, "And now without?", retriever=None)
    assert "nine" in answer(first)
    assert "Penguins" in answer(second)
    assert "nine" not in answer(second)
    assert answer(plain) == "Answer."
    assert isinstance(second.result, OrchestratorResponse)
    assert second.result.agent is not None
    assert second.result.agent.instructions == "Answer."
    assert [m.role for m in second.result.messages] == ["user", "assistant"] * 2


async def test_all_model_calls_of_a_turn_have_it_however_long_it_is(
    rojak: Rojak, model_server: ModelServer, store: AsyncQdrantClient
) -> None:
    long = "The office " + "opens at nine. " * 400
    point = models.PointStruct(id=9, vector=embed(QUESTION), payload={"text": long, "source": "long"})
    await store.upsert(COLLECTION, [point])
    model_server.when(last_role="user").reply(tool_calls=[call("nowhere")])
    model_server.otherwise().reply(lambda conversation: Reply(conversation.system))
    async with rojak.create_worker([provider(model_server), activities(client=store, limit=1)]):
        response = await ask(rojak)
        history = await rojak.client.get_workflow_handle(response.id).fetch_history()
    systems = [request.conversation.system for request in model_server.requests]
    assert systems == [f"Answer.\n\nRetrieved context:\n[long] {long}"] * 2
    scheduled = [event.activity_task_scheduled_event_attributes for event in history.events]
    assert not any(b"opens at nine" in payload.data for asked in scheduled for payload in asked.input.payloads)


async def test_what_is_found_is_cut_to_what_a_session_can_carry(
    rojak: Rojak, model_server: ModelServer, store: AsyncQdrantClient
) -> None:
    points = [
        models.PointStruct(id=10 + number, vector=embed(QUESTION), payload={"text": "ü" * 20_000, "source": "big"})
        for number in range(5)
    ]
    await store.upsert(COLLECTION, points)
    system = await instructions(rojak, model_server, activities(client=store, limit=5))
    assert RETRIEVED_BYTES * 0.9 < len(system.encode()) < RETRIEVED_BYTES + 100


async def test_passages_below_the_threshold_are_left_out(
    rojak: Rojak, model_server: ModelServer, store: AsyncQdrantClient
) -> None:
    assert await instructions(rojak, model_server, activities(client=store, score_threshold=0.99)) == "Answer."


async def test_fields_of_the_payload_are_named(store: AsyncQdrantClient) -> None:
    payload = {"metadata": {"body": "Nested.", "page": 7}, "text": ""}
    await store.upsert(COLLECTION, [models.PointStruct(id=9, vector=embed("nested"), payload=payload)])
    asked = activities(client=store, limit=1, text_fields=("text", "metadata.body"), source_field="metadata.page")
    (passage,) = await asked.retrieve("nested", QdrantRetriever())
    assert (passage.text, passage.source) == ("Nested.", "7")
    (passage,) = await activities(client=store, limit=1, text_fields=("metadata.body",)).retrieve(
        "nested", QdrantRetriever()
    )
    assert passage.source == "9", "the id of the point where it names no source"


async def test_an_embedded_store_is_filled_with_the_client_of_the_activities(
    rojak: Rojak, model_server: ModelServer
) -> None:
    memory = activities(path=":memory:", limit=1)
    await fill(memory.client)
    assert "nine" in await instructions(rojak, model_server, memory)
    # It outlives the worker, which might run again.
    assert await memory.retrieve(QUESTION, QdrantRetriever())


async def test_a_folder_is_let_go_when_the_worker_stops(
    rojak: Rojak, model_server: ModelServer, tmp_path: Path
) -> None:
    folder = activities(path=str(tmp_path / "store"), limit=1)
    await fill(folder.client)
    assert "nine" in await instructions(rojak, model_server, folder)
    again = activities(path=str(tmp_path / "store"))
    try:
        assert await again.retrieve(QUESTION, QdrantRetriever())
        with pytest.raises(ConfigurationError, match="in use by another process; an embedded store serves one"):
            await activities(path=str(tmp_path / "store")).retrieve(QUESTION, QdrantRetriever())
    finally:
        await again.close()


async def test_two_stores_in_one_worker_have_names(
    rojak: Rojak, model_server: ModelServer, store: AsyncQdrantClient
) -> None:
    quote_instructions(model_server)
    other = AsyncQdrantClient(":memory:")
    await fill(other, "animals")
    named = activities(client=other, collection_name="animals", name="animals", limit=1)
    async with rojak.create_worker([provider(model_server), activities(client=store, limit=1), named]):
        assert "nine" in answer(await ask(rojak))
        response = await ask(rojak, "Can penguins fly?", retriever=QdrantRetriever(name="animals"))
        assert "Penguins" in answer(response)
        assert isinstance(response.result, OrchestratorResponse)
        assert response.result.retrievals[0].retriever == "qdrant/animals"
    with pytest.raises(ConfigurationError, match="give one of them a name="):
        rojak.create_worker([provider(model_server), activities(client=store), activities(client=other)])


def bad_embedding(text: str) -> Any:
    raise LookupError(f"I quote: {text}")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param(
            {"collection_name": "missing"},
            "there is no collection 'missing' of Qdrant (there is: handbook, words); mend collection_name=",
            id="no such collection",
        ),
        pytest.param(
            {"embed": lambda text: [1.0, 0.0]},
            "the vectors of collection 'handbook' of Qdrant have 64 dimensions, and those of queries have 2; embed",
            id="another embedding",
        ),
        pytest.param({"embed": lambda text: text}, "returned a str that is no list of numbers", id="no vector"),
        pytest.param({"embed": bad_embedding}, "the embedding function raised LookupError", id="embedding raises"),
        pytest.param({"embed": None}, "give QdrantRetrieverOptions(embed=...), or pip install fastembed", id="none"),
        pytest.param({"collection_name": "words"}, "have names: words; choose with vector_name=", id="named vectors"),
        pytest.param({"vector_name": "words"}, "have no names; leave vector_name= out", id="no named vectors"),
        pytest.param(
            {"text_fields": ("body",)}, "its payload has the fields source, text, and none of body", id="no text"
        ),
    ],
)
async def test_what_cannot_work_is_said_when_the_worker_starts_and_to_the_caller_and_stops_nothing(
    rojak: Rojak,
    model_server: ModelServer,
    store: AsyncQdrantClient,
    options: dict[str, Any],
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await fill(store, "words", config={"words": models.VectorParams(size=SIZE, distance=models.Distance.COSINE)})
    quote_instructions(model_server)
    failing = activities(client=store, **options)
    with caplog.at_level(logging.WARNING):
        async with rojak.create_worker([provider(model_server), failing]):
            response = await ask(rojak)
    assert answer(response) == "Answer."
    assert isinstance(response.result, OrchestratorResponse)
    (retrieval,) = response.result.retrievals
    assert reason in (retrieval.reason or "")
    assert (retrieval.agent_name, retrieval.retriever, retrieval.sources) == ("Agent", "qdrant", [])
    (failed,) = [r.getMessage() for r in caplog.records if "retrieval failed, agent 'Agent' goes" in r.getMessage()]
    assert reason in failed
    warned = [r.getMessage() for r in caplog.records if "retriever qdrant cannot be asked" in r.getMessage()]
    # What the payloads hold is seen when something is found.
    assert bool(warned) != ("payload" in reason)
    assert all(reason in message for message in warned)
    assert "office" not in caplog.text
    # What no other attempt can mend is not tried again.
    history = await rojak.client.get_workflow_handle(response.id).fetch_history()
    attempts = [e.activity_task_started_event_attributes.attempt for e in history.events]
    assert max(attempts) == (2 if "LookupError" in reason else 1)


async def test_an_embedding_that_hangs_is_not_waited_for(
    rojak: Rojak, model_server: ModelServer, store: AsyncQdrantClient
) -> None:
    quote_instructions(model_server)
    never = threading.Event()
    hanging = activities(client=store, embed=lambda text: never.wait())
    try:
        async with rojak.create_worker([provider(model_server), hanging]):
            response = await ask(rojak, retriever=QdrantRetriever(timeout_in_seconds=0.5))
    finally:
        never.set()
    assert answer(response) == "Answer."
    assert isinstance(response.result, OrchestratorResponse)
    assert response.result.retrievals[0].error_type == "TimeoutError"


async def test_named_vectors_are_searched(store: AsyncQdrantClient) -> None:
    await fill(store, "words", config={"words": models.VectorParams(size=SIZE, distance=models.Distance.COSINE)})
    found = await activities(client=store, collection_name="words", vector_name="words").retrieve(
        QUESTION, QdrantRetriever()
    )
    assert found[0].source == "page 0"


async def test_an_agent_whose_retriever_nobody_serves_goes_on_without(
    rojak: Rojak, model_server: ModelServer, store: AsyncQdrantClient
) -> None:
    quote_instructions(model_server)
    async with rojak.create_worker([provider(model_server), activities(client=store)]):
        response = await ask(rojak, retriever=QdrantRetriever(name="other"))
    assert answer(response) == "Answer."
    assert isinstance(response.result, OrchestratorResponse)
    assert "serves no retriever 'qdrant/other' (it serves: qdrant)" in (response.result.retrievals[0].reason or "")


async def test_an_agent_that_is_handed_to_asks_its_own_retriever(
    rojak: Rojak, model_server: ModelServer, store: AsyncQdrantClient
) -> None:
    clerk = OpenAIAgent(name="Clerk", functions=["to_reader"])

    def to_reader() -> OpenAIAgent:
        """Hand over."""
        return OpenAIAgent(name="Reader", instructions="Read.", retriever=QdrantRetriever())

    model_server.when(offers="to_reader").reply(tool_calls=[call("to_reader")])
    quote_instructions(model_server)
    async with rojak.create_worker([provider(model_server, to_reader), activities(client=store, limit=1)]):
        task = TaskParams(agent=clerk, messages=[{"role": "user", "content": QUESTION}])
        response = await rojak.run(id=rojak.task_queue, task=task)
    assert "nine" in answer(response)
    assert isinstance(response.result, OrchestratorResponse)
    (retrieval,) = response.result.retrievals
    assert (retrieval.agent_name, retrieval.sources) == ("Reader", ["page 0"])


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "it has none: where is the store"),
        ({"url": "http://x", "path": "y"}, "it has url and path: where is the store"),
        ({"path": "y", "cloud_inference": True, "embed": None}, "it needs url=, and no embed="),
        ({"path": "y", "api_key": "secret"}, "api_key= is for a service"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem) as raised:
        activities(**options)
    assert "secret" not in str(raised.value)


def test_the_key_is_never_shown() -> None:
    assert "secret" not in repr(QdrantRetrieverOptions(url="http://x", api_key="secret", collection_name="c"))


async def test_a_password_in_the_url_is_never_shown() -> None:
    with pytest.raises(RetrievalError) as raised:
        await activities(url="http://ann:secret@127.0.0.1:1").retrieve(QUESTION, QdrantRetriever())
    assert "Qdrant at 127.0.0.1 does not answer (ConnectError)" in str(raised.value)
