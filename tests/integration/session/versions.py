"""What the operator does with versions of workers, for tests without one."""

from __future__ import annotations

import asyncio

from temporalio.api.enums.v1 import RoutingConfigUpdateState
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.client import Client, WorkflowExecutionDescription
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import WorkerDeploymentConfig

from rojak.workflows.contracts import SIGNAL_NEW_VERSION


def deployment_config(deployment: str, build_id: str) -> WorkerDeploymentConfig:
    """As `rojak worker` has it."""
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment, build_id),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )


async def make_current(client: Client, deployment: str, build_id: str) -> None:
    """Make a version current as soon as it is known, and wait until all of the server knows."""
    service, namespace = client.workflow_service, client.namespace
    wanted = SetWorkerDeploymentCurrentVersionRequest(
        namespace=namespace, deployment_name=deployment, build_id=build_id
    )
    async with asyncio.timeout(60):
        while True:
            try:
                await service.set_worker_deployment_current_version(wanted)
                break
            except RPCError as error:
                if error.status not in (RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION):
                    raise
            await asyncio.sleep(0.2)
        while True:
            answer = await service.describe_worker_deployment(
                DescribeWorkerDeploymentRequest(namespace=namespace, deployment_name=deployment)
            )
            state = answer.worker_deployment_info.routing_config_update_state
            if state != RoutingConfigUpdateState.ROUTING_CONFIG_UPDATE_STATE_IN_PROGRESS:
                return
            await asyncio.sleep(0.1)


async def describe(client: Client, session_id: str) -> WorkflowExecutionDescription:
    return await client.get_workflow_handle(session_id).describe()


async def version_of(client: Client, session_id: str) -> str:
    """The version that a session is on; empty without one."""
    info = (await describe(client, session_id)).raw_description.workflow_execution_info
    return str(info.versioning_info.deployment_version.build_id)


async def until_on(client: Client, session_id: str, build_id: str) -> None:
    """Wait until a session is on a version."""
    async with asyncio.timeout(60):
        while await version_of(client, session_id) != build_id:
            await asyncio.sleep(0.1)


async def tell_until_on(client: Client, session_id: str, build_id: str) -> None:
    """Tell a session of a new version until it has moved there, as the operator does.

    Temporal's own parts hear of a new version one after the other: a session that looks too early finds nothing new.
    """
    async with asyncio.timeout(60):
        while await version_of(client, session_id) != build_id:
            await client.get_workflow_handle(session_id).signal(SIGNAL_NEW_VERSION)
            await asyncio.sleep(0.5)


async def tell_until_told(client: Client, session_id: str) -> None:
    """Tell a session of a new version until Temporal has told it as well, in the run that it is in now."""
    run_id = (await describe(client, session_id)).run_id
    run = client.get_workflow_handle(session_id, run_id=run_id)
    async with asyncio.timeout(60):
        while True:
            history = await run.fetch_history()
            started = [event.workflow_task_started_event_attributes for event in history.events]
            if any(attributes.target_worker_deployment_version_changed for attributes in started):
                return
            await client.get_workflow_handle(session_id).signal(SIGNAL_NEW_VERSION)
            await asyncio.sleep(0.5)
