"""Fixtures that tests of all kinds share; those for the model and the server come with Rojak itself."""

from __future__ import annotations

import os
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from temporalio.client import Client

from dev.helm.pytest_plugin import helm  # noqa: F401
from dev.kubernetes.pytest_plugin import (  # noqa: F401
    kubernetes,
    kubernetes_programs,
    own_kubernetes,
    pytest_collection_finish,
)

# How long examples take to make or to check says how busy the machine is, not whether the code is right: no deadline,
# and no check of hypothesis's own that looks at the clock. By default some seconds
# of examples; `ROJAK_TEST_PROFILE=thorough` looks for minutes.
_UNHURRIED: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
}
settings.register_profile("rojak", max_examples=60, **_UNHURRIED)
settings.register_profile("thorough", max_examples=2000, **_UNHURRIED)
settings.load_profile(os.environ.get("ROJAK_TEST_PROFILE", "rojak"))


@pytest.fixture
async def temporal_client(temporal_address: str) -> Client:
    """A plain client, as a user connects one."""
    return await Client.connect(temporal_address)


@pytest.fixture
def task_queue() -> str:
    """A task queue that no other test uses."""
    return f"tasks-{uuid.uuid4().hex[:12]}"
