"""Knowledge from a Qdrant service over HTTP: one that refuses, hangs, is down, and comes back."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest

from rojak import OrchestratorResponse, Rojak
from rojak.retrievers import QdrantRetriever, QdrantRetrieverActivities, QdrantRetrieverOptions
from rojak.testing import ModelServer
from rojak.types.errors import ConfigurationError
from tests.integration.retrievers.knowledge import (
    COLLECTION,
    QUESTION,
    answer,
    ask,
    embed,
    instructions,
    provider,
    quote_instructions,
)
from tests.integration.retrievers.qdrant_service import QdrantService


def activities(service: QdrantService, **options: Any) -> QdrantRetrieverActivities:
    given = {"url": service.url, "collection_name": COLLECTION, "embed": embed, "limit": 1} | options
    return QdrantRetrieverActivities(QdrantRetrieverOptions(**given))


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
async def test_a_service_is_asked_with_its_key(rojak: Rojak, model_server: ModelServer, service: QdrantService) -> None:
    service.api_key = "secret"
    system = await instructions(rojak, model_server, activities(service, api_key="secret"))
    assert "[page 0] The office opens at nine." in system


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
async def test_a_wrong_key_is_named_and_not_shown(service: QdrantService) -> None:
    service.api_key = "secret"
    with pytest.raises(ConfigurationError, match=r"Qdrant at http://.* refuses access \(status 401\); mend api_key="):
        await activities(service, api_key="wrong").retrieve(QUESTION, QdrantRetriever())


async def test_the_service_embeds_where_it_is_told_to(
    rojak: Rojak, model_server: ModelServer, service: QdrantService
) -> None:
    asked = activities(service, embed=None, cloud_inference=True, embedding_model="words")
    assert "nine" in await instructions(rojak, model_server, asked)
    (query,) = [request for request in service.requests if request.path.split("?")[0].endswith("/points/query")]
    assert b'"model":"words"' in query.body


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"collection_name": "missing"}, "there is no collection 'missing' of Qdrant at http"),
        ({"embed": lambda text: [1.0]}, "have 64 dimensions, and those of queries have 1"),
    ],
    ids=["no such collection", "another embedding"],
)
async def test_a_wrong_collection_is_named_with_the_remedy(
    service: QdrantService, options: dict[str, Any], reason: str
) -> None:
    asked = activities(service, **options)
    with pytest.raises(ConfigurationError, match=reason):
        await asked.check()
    with pytest.raises(ConfigurationError, match=reason):
        await asked.retrieve(QUESTION, QdrantRetriever())
    await asked.close()


async def test_a_service_that_is_down_stops_nobody_and_is_asked_again_when_it_is_back(
    rojak: Rojak, model_server: ModelServer, service: QdrantService, caplog: pytest.LogCaptureFixture
) -> None:
    quote_instructions(model_server)
    await service.stop()
    with caplog.at_level(logging.WARNING):
        async with rojak.create_worker([provider(model_server), activities(service)]):
            without = await ask(rojak)
            await service.start()
            found = await ask(rojak)
            await service.stop()
            again = await ask(rojak)
    assert answer(without) == answer(again) == "Answer."
    assert "nine" in answer(found)
    assert isinstance(without.result, OrchestratorResponse)
    (retrieval,) = without.result.retrievals
    assert retrieval.error_type == "RetrievalError"
    reason = f"Qdrant at {service.url} does not answer (ConnectError)"
    assert reason in (retrieval.reason or "")
    (warned,) = [r.getMessage() for r in caplog.records if "cannot be asked" in r.getMessage()]
    assert warned.startswith(f"retriever qdrant cannot be asked, agents go on without it: RetrievalError: {reason}")
    assert "Traceback" not in caplog.text


async def test_a_service_that_hangs_is_waited_for_as_long_as_the_agent_says(
    rojak: Rojak, model_server: ModelServer, service: QdrantService
) -> None:
    quote_instructions(model_server)
    service.hanging = True
    async with rojak.create_worker([provider(model_server), activities(service)]):
        began = time.monotonic()
        response = await ask(rojak, retriever=QdrantRetriever(timeout_in_seconds=0.5))
        assert time.monotonic() - began < 15
    assert answer(response) == "Answer."
    assert isinstance(response.result, OrchestratorResponse)
    assert response.result.retrievals[0].error_type == "TimeoutError"
    assert "no answer within 0.5 s" in (response.result.retrievals[0].reason or "")


async def test_a_service_in_trouble_is_asked_twice(
    rojak: Rojak, model_server: ModelServer, service: QdrantService
) -> None:
    quote_instructions(model_server)
    async with rojak.create_worker([provider(model_server), activities(service)]):
        await ask(rojak, retriever=None)
        service.failing = 503
        response = await ask(rojak)
    assert answer(response) == "Answer."
    assert isinstance(response.result, OrchestratorResponse)
    assert "answered with status 503" in (response.result.retrievals[0].reason or "")
    assert len([r for r in service.requests if r.path.split("?")[0].endswith("/points/query")]) == 2
