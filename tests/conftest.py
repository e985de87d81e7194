"""Fixtures that tests of all kinds share; those for the model and the server come with Rojak itself."""

from __future__ import annotations

import uuid

import pytest
from temporalio.client import Client


@pytest.fixture
async def temporal_client(temporal_address: str) -> Client:
    """A plain client, as a user connects one."""
    return await Client.connect(temporal_address)


@pytest.fixture
def task_queue() -> str:
    """A task queue that no other test uses."""
    return f"tasks-{uuid.uuid4().hex[:12]}"
