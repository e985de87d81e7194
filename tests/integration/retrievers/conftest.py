"""What the tests of retrievers share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from qdrant_client import AsyncQdrantClient
from temporalio.client import Client

from rojak import Rojak
from tests.integration.retrievers.knowledge import fill
from tests.integration.retrievers.qdrant_service import QdrantService


@pytest.fixture
def rojak(temporal_client: Client, task_queue: str) -> Rojak:
    return Rojak(temporal_client, task_queue)


@pytest.fixture
async def store() -> AsyncQdrantClient:
    """Qdrant's embedded engine with the handbook."""
    client = AsyncQdrantClient(":memory:")
    await fill(client)
    return client


@pytest.fixture
async def service(store: AsyncQdrantClient) -> AsyncIterator[QdrantService]:
    """A Qdrant service with the handbook."""
    async with QdrantService(store) as running:
        yield running
