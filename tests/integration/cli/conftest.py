"""Agents that are served by name, for commands to talk to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from rojak import Rojak
from rojak.agents import (
    AgentLimits,
    AgentRef,
    AgentTool,
    HandOffTool,
    Interrupt,
    OpenAIAgent,
    OpenAIAgentActivities,
    OpenAIAgentOptions,
)
from rojak.testing import ModelServer
from tests.integration.session.script import follow_script


def pay(amount: int = 1) -> str:
    """Pay."""
    return f"paid {amount}"


def add(context_variables: dict[str, int], amount: int = 1) -> str:
    """Add."""
    context_variables["sum"] = context_variables.get("sum", 0) + amount
    return f"sum is {context_variables['sum']}"


@pytest.fixture
def namespace(task_queue: str) -> str:
    """A namespace of manifests that no other test uses."""
    return task_queue


@pytest.fixture
def model(model_server: ModelServer) -> ModelServer:
    """A model that does what it is told, unless a test has rules of its own."""
    model_server.otherwise().reply(follow_script)
    return model_server


@pytest.fixture
async def served(temporal_client: Client, namespace: str, model: ModelServer) -> AsyncIterator[str]:
    """Address of a server with workers for the agents `triage` and `billing`."""
    billing = OpenAIAgent(name="billing", functions=["add", "pay"], interrupts=[Interrupt("pay")])
    triage = OpenAIAgent(
        name="triage",
        functions=["add", "pay"],
        interrupts=[Interrupt("pay", question="May it pay?")],
        tools=[
            HandOffTool(AgentRef("billing", task_queue=f"{namespace}.billing"), "Knows about bills"),
            AgentTool(AgentRef("billing", task_queue=f"{namespace}.billing"), "Does bills", name="ask_billing"),
        ],
        limits=AgentLimits(max_tool_calls=3),
    )
    options = OpenAIAgentOptions(api_key="test", base_url=model.base_url, all_functions=[add, pay])
    there, here = (Rojak(temporal_client, f"{namespace}.{name}") for name in ("billing", "triage"))
    async with (
        there.create_worker([OpenAIAgentActivities(options)], agents=[billing]),
        here.create_worker([OpenAIAgentActivities(options)], agents=[triage]),
    ):
        yield temporal_client.service_client.config.target_host


@pytest.fixture
def profile_file(tmp_path: Path) -> Path:
    """Where Temporal's profiles are."""
    return tmp_path / "temporal.toml"
