"""Fixtures that tests of all kinds share; those for the model and the server come with Rojak itself."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import HealthCheck, settings
from temporalio.client import Client

from dev.kubernetes.pytest_plugin import kubernetes, own_kubernetes, pytest_collection_finish  # noqa: F401

# How long examples take to make or to check says how busy the machine is, not whether the code is right.
settings.register_profile("rojak", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("rojak")


@pytest.fixture
async def temporal_client(temporal_address: str) -> Client:
    """A plain client, as a user connects one."""
    return await Client.connect(temporal_address)


@pytest.fixture
def task_queue() -> str:
    """A task queue that no other test uses."""
    return f"tasks-{uuid.uuid4().hex[:12]}"
