"""What Temporal's own tools show of a session."""

from __future__ import annotations

import asyncio
import importlib.metadata

import pytest
from temporalio.common import WorkerDeploymentVersion
from temporalio.worker import WorkerDeploymentConfig

from rojak import OrchestratorResponse, Rojak
from rojak.agents import OpenAIAgentActivities
from rojak.testing import ModelServer
from rojak.workflows.contracts import AGENT_ATTRIBUTE, STATUS_ATTRIBUTE
from tests.integration.session.conftest import task

pytestmark = pytest.mark.usefixtures("worker")


async def details(rojak: Rojak, session_id: str) -> str:
    from temporalio.api.sdk.v1 import WorkflowMetadata

    handle = rojak.client.get_workflow_handle(session_id)
    metadata: WorkflowMetadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return metadata.current_details


async def test_current_details_say_who_is_active_and_what_is_waited_for(
    rojak: Rojak, model: ModelServer, session_id: str
) -> None:
    gate = model.when(last_user="wait").hold()
    run = asyncio.create_task(rojak.run(id=session_id, type="persistent", task=task("wait")))
    await model.wait_for_requests(1)
    text = await details(rojak, session_id)
    assert "**Agent:** A" in text
    assert "waiting for the model" in text
    gate.release()
    await run
    assert "idle" in await details(rojak, session_id)
    await rojak.run(id=session_id, type="persistent", task=task("call pay"))
    assert "waiting for a human to approve pay" in await details(rojak, session_id)


async def test_search_attributes_follow_agent_and_status(rojak: Rojak, session_id: str) -> None:
    await rojak.run(id=session_id, type="persistent", task=task("call transfer_to_b"))
    attributes = (await rojak.client.get_workflow_handle(session_id).describe()).typed_search_attributes
    assert (attributes.get(AGENT_ATTRIBUTE), attributes.get(STATUS_ATTRIBUTE)) == ("B", "active")
    await rojak.run(id=session_id, type="persistent", task=task("call pay"))
    attributes = (await rojak.client.get_workflow_handle(session_id).describe()).typed_search_attributes
    assert (attributes.get(AGENT_ATTRIBUTE), attributes.get(STATUS_ATTRIBUTE)) == ("A", "waiting_for_approval")


async def test_activities_have_summaries_and_no_user_content(rojak: Rojak, session_id: str) -> None:
    await rojak.run(id=session_id, task=task("call add", "say secret words"))
    history = await rojak.client.get_workflow_handle(session_id).fetch_history()
    summaries = [
        event.user_metadata.summary.data.decode() for event in history.events if event.user_metadata.summary.data
    ]
    assert summaries == ['"A: chat gpt-5-mini"', '"A: execute_tool add"', '"A: chat gpt-5-mini"']


async def test_events_name_the_version_that_worked(rojak: Rojak, session_id: str) -> None:
    await rojak.run(id=session_id, task=task("say Hi"))
    history = await rojak.client.get_workflow_handle(session_id).fetch_history()
    builds = {
        event.workflow_task_started_event_attributes.worker_version.build_id
        for event in history.events
        if event.HasField("workflow_task_started_event_attributes")
    }
    # A run that starts eagerly, in the process of its worker, names none in its first task.
    assert builds - {""} == {importlib.metadata.version("rojak")}


async def test_a_worker_may_be_versioned(rojak: Rojak, activities: OpenAIAgentActivities, session_id: str) -> None:
    version = WorkerDeploymentVersion(deployment_name=session_id, build_id="blue")
    versioned = Rojak(rojak.client, f"{session_id}-blue")
    worker = versioned.create_worker(
        [activities], deployment_config=WorkerDeploymentConfig(version=version, use_worker_versioning=False)
    )
    async with worker:
        assert isinstance((await versioned.run(id=session_id, task=task("say Hi"))).result, OrchestratorResponse)
