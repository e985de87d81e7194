"""Temporal's Worker Deployments: which versions of a pool there are, and which one gets what begins now."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC
from typing import Final

from temporalio.api.batch.v1 import BatchOperationSignal
from temporalio.api.deployment.v1 import WorkerDeploymentInfo, WorkerDeploymentVersion
from temporalio.api.enums.v1 import (
    RoutingConfigUpdateState,
    TaskQueueType,
    WorkerDeploymentVersionStatus,
)
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    DeleteWorkerDeploymentVersionRequest,
    DescribeWorkerDeploymentRequest,
    DescribeWorkerDeploymentVersionRequest,
    SetWorkerDeploymentCurrentVersionRequest,
    StartBatchOperationRequest,
)

from rojak.workflows.contracts import SIGNAL_NEW_VERSION, STATUS_ATTRIBUTE, STATUS_WAITING, WORKFLOW_NAME
from rojak_operator.desired.versions import DRAINED, DRAINING, INACTIVE, Routing, VersionState
from rojak_operator.temporal import IDENTITY, Connection, TemporalError

_STATES: Final = {
    WorkerDeploymentVersionStatus.WORKER_DEPLOYMENT_VERSION_STATUS_CREATED: INACTIVE,
    WorkerDeploymentVersionStatus.WORKER_DEPLOYMENT_VERSION_STATUS_INACTIVE: INACTIVE,
    WorkerDeploymentVersionStatus.WORKER_DEPLOYMENT_VERSION_STATUS_CURRENT: "Current",
    WorkerDeploymentVersionStatus.WORKER_DEPLOYMENT_VERSION_STATUS_RAMPING: "Ramping",
    WorkerDeploymentVersionStatus.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINING: DRAINING,
    WorkerDeploymentVersionStatus.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINED: DRAINED,
}
_TYPES: Final = (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)


class WorkerDeployment:
    """The Worker Deployment of one pool."""

    def __init__(self, temporal: Connection, name: str) -> None:
        self._temporal = temporal
        self._name = name
        self._token = b""

    async def look(self) -> Routing:
        """What Temporal does with the versions; without any worker that had a version there are none."""
        request = DescribeWorkerDeploymentRequest(namespace=self._temporal.namespace, deployment_name=self._name)
        try:
            answer = await self._temporal.ask("describe_worker_deployment", request)
        except TemporalError as error:
            if error.code == "NOT_FOUND" and not error.said.lower().startswith("namespace"):
                return Routing()
            raise
        self._token = answer.conflict_token
        return _routing(answer.worker_deployment_info)

    async def polls(self, build_id: str, queues: Iterable[str]) -> bool:
        """Whether workers of a version were seen at all of these task queues."""
        request = DescribeWorkerDeploymentVersionRequest(
            namespace=self._temporal.namespace,
            deployment_version=WorkerDeploymentVersion(deployment_name=self._name, build_id=build_id),
        )
        try:
            answer = await self._temporal.ask("describe_worker_deployment_version", request)
        except TemporalError as error:
            if error.code == "NOT_FOUND":
                return False
            raise
        seen = {(queue.name, queue.type) for queue in answer.version_task_queues}
        return all((queue, kind) in seen for queue in queues for kind in _TYPES)

    async def make_current(self, build_id: str) -> None:
        """Give a version what begins from now on; the empty build id stands for workers without a version.

        Task queues that the version before had and this one has not are those of Agents that left the pool.
        """
        request = SetWorkerDeploymentCurrentVersionRequest(
            namespace=self._temporal.namespace,
            deployment_name=self._name,
            build_id=build_id,
            conflict_token=self._token,
            identity=IDENTITY,
            ignore_missing_task_queues=True,
        )
        await self._temporal.ask("set_worker_deployment_current_version", request)

    async def count_sessions(self, build_id: str) -> int:
        """How many sessions are on a version, as far as they could move from it now."""
        request = CountWorkflowExecutionsRequest(
            namespace=self._temporal.namespace, query=await self._sessions(build_id)
        )
        answer = await self._temporal.ask("count_workflow_executions", request)
        return int(answer.count)

    async def tell_sessions(self, build_id: str, *, job_id: str) -> None:
        """Tell the sessions of a version that there is another one; those that are idle move to it.

        Args:
            job_id: asked for twice with one id, it is done once.
        """
        request = StartBatchOperationRequest(
            namespace=self._temporal.namespace,
            visibility_query=await self._sessions(build_id),
            job_id=job_id,
            reason="Rojak: sessions move to the current version",
            signal_operation=BatchOperationSignal(signal=SIGNAL_NEW_VERSION, identity=IDENTITY),
        )
        await self._temporal.ask("start_batch_operation", request)

    async def delete(self, build_id: str) -> None:
        """Let Temporal forget a version. It refuses while workers of it were seen a short while ago."""
        request = DeleteWorkerDeploymentVersionRequest(
            namespace=self._temporal.namespace,
            deployment_version=WorkerDeploymentVersion(deployment_name=self._name, build_id=build_id),
            identity=IDENTITY,
        )
        await self._temporal.ask("delete_worker_deployment_version", request)

    async def _sessions(self, build_id: str) -> str:
        parts = [
            f'TemporalWorkerDeploymentVersion = "{self._name}:{build_id}"',
            'ExecutionStatus = "Running"',
            f'WorkflowType = "{WORKFLOW_NAME}"',
        ]
        if await self._temporal.has_attributes():
            # A turn that waits for a human ends where it began, however often its session is told.
            name = STATUS_ATTRIBUTE.name
            parts.append(f'({name} IS NULL OR {name} != "{STATUS_WAITING}")')
        return " AND ".join(parts)


def _routing(info: WorkerDeploymentInfo) -> Routing:
    versions = {}
    for summary in info.version_summaries:
        since = None
        if summary.drainage_info.HasField("last_changed_time"):
            since = summary.drainage_info.last_changed_time.ToDatetime(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        # Of a state that is not known nothing is removed.
        state = _STATES.get(summary.status, DRAINING)
        versions[summary.deployment_version.build_id] = VersionState(state, since if state == DRAINED else None)
    in_progress = RoutingConfigUpdateState.ROUTING_CONFIG_UPDATE_STATE_IN_PROGRESS
    return Routing(
        current=info.routing_config.current_deployment_version.build_id,
        versions=versions,
        is_settled=info.routing_config_update_state != in_progress,
    )
