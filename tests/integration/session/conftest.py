"""A worker and a client on a task queue of the test's own, and a model that follows a script."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError

from rojak import Rojak
from rojak.agents import (
    AnthropicAgentActivities,
    AnthropicAgentOptions,
    OpenAIAgent,
    OpenAIAgentActivities,
    OpenAIAgentOptions,
)
from rojak.testing import ModelServer
from rojak.types import OrchestratorResponse, TaskParams
from rojak.worker import RojakWorker
from rojak.workflows.contracts import QUERY_PROGRESS
from tests.integration.session.script import follow_script
from tests.integration.session.team import FUNCTIONS, agent_a


@pytest.fixture
def model(model_server: ModelServer) -> ModelServer:
    """The scripted model, following scripts where a test has no rule of its own."""
    model_server.otherwise().reply(follow_script)
    return model_server


@pytest.fixture
def activities(model: ModelServer) -> OpenAIAgentActivities:
    """The OpenAI activities with the team's functions."""
    return OpenAIAgentActivities(OpenAIAgentOptions(api_key="test", base_url=model.base_url, all_functions=FUNCTIONS))


@pytest.fixture(params=["cached", "replayed"])
def worker_options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Every test of a session runs twice: once as it is, once with each workflow task replaying from the start."""
    return {"max_cached_workflows": 0} if request.param == "replayed" else {}


@pytest.fixture
def rojak(temporal_client: Client, task_queue: str) -> Rojak:
    """A client of sessions without a worker."""
    return Rojak(temporal_client, task_queue=task_queue)


@pytest.fixture
async def worker(
    rojak: Rojak, activities: OpenAIAgentActivities, worker_options: dict[str, Any]
) -> AsyncIterator[RojakWorker]:
    """A running worker."""
    async with rojak.create_worker([activities], **worker_options) as running:
        yield running


@pytest.fixture
async def worker_of_both(
    rojak: Rojak, model: ModelServer, activities: OpenAIAgentActivities, worker_options: dict[str, Any]
) -> AsyncIterator[RojakWorker]:
    """A running worker of both providers."""
    options = AnthropicAgentOptions(api_key="test", base_url=model.anthropic_base_url, all_functions=FUNCTIONS)
    async with rojak.create_worker([activities, AnthropicAgentActivities(options)], **worker_options) as running:
        yield running


@pytest.fixture
def session_id(task_queue: str) -> str:
    """An id that no other test uses."""
    return f"session-{task_queue}"


def task(*lines: str, agent: OpenAIAgent | None = agent_a, **fields: Any) -> TaskParams:
    """A task whose message is the script."""
    return TaskParams(agent=agent, messages=[{"role": "user", "content": "\n".join(lines)}], **fields)


def answer(result: Any) -> str:
    """The text of the last message of a result."""
    assert isinstance(result, OrchestratorResponse), result
    return result.messages[-1].text


def roles(result: OrchestratorResponse) -> list[str]:
    """Who spoke, in short: u(ser), a(ssistant), t(ool)."""
    return [message.role[0] for message in result.messages]


@contextlib.asynccontextmanager
async def running(rojak: Rojak, *activities: Any, **options: Any) -> AsyncIterator[RojakWorker]:
    """A worker of the test's own making."""
    async with rojak.create_worker(list(activities), **options) as worker:
        yield worker


async def until_session_knows(rojak: Rojak, session_id: str, task_id: str, *, patience: float = 10) -> None:
    """Wait until a task has reached its session."""
    handle = rojak.client.get_workflow_handle(session_id)
    async with asyncio.timeout(patience):
        while True:
            try:
                # A busy worker drops a query now and then; who asked is told when the time of the call is over.
                await handle.query(QUERY_PROGRESS, args=[task_id, 0], rpc_timeout=timedelta(seconds=3))
                return
            except (WorkflowQueryFailedError, RPCError):
                await asyncio.sleep(0.02)
