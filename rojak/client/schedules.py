"""Runs at set times: Temporal schedules whose action is a stateless run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleHandle,
    ScheduleSpec,
    WorkflowExecutionStatus,
)

from rojak.client.gateway import SessionGateway
from rojak.client.tasks import check_has_agent
from rojak.session.task import Task
from rojak.types.errors import ConfigurationError
from rojak.workflows import contracts

_STATUSES = {
    "".join(part.capitalize() for part in status.name.split("_")): status for status in WorkflowExecutionStatus
}


async def create_schedule(gateway: SessionGateway, schedule_id: str, spec: ScheduleSpec, task: Task) -> ScheduleHandle:
    """Create the schedule.

    Raises:
        ConfigurationError: there is one of that id, or the task names no agent.
    """
    check_has_agent(task)
    action = ScheduleActionStartWorkflow(
        contracts.WORKFLOW_NAME,
        gateway.session_input("stateless", task),
        id=schedule_id,
        task_queue=gateway.task_queue,
        typed_search_attributes=await gateway.search_attributes(task),
    )
    try:
        return await gateway.client.create_schedule(schedule_id, Schedule(action=action, spec=spec))
    except ScheduleAlreadyRunningError:
        raise ConfigurationError(
            f"there is a schedule {schedule_id!r} already; choose another id, or delete it first:"
            " client.get_schedule_handle(id).delete()"
        ) from None


async def list_scheduled_runs(
    client: Client, schedule_id: str, statuses: Sequence[str] | None = None
) -> AsyncIterator[str]:
    """Ids of the runs that a schedule started, the newest first.

    Raises:
        ConfigurationError: a status that does not exist.
    """
    query = f'TemporalScheduledById = "{_quoted(schedule_id)}"'
    if statuses:
        for status in statuses:
            if status not in _STATUSES:
                raise ConfigurationError(f"unknown status {status!r}; there are: {', '.join(sorted(_STATUSES))}")
        query += " AND ExecutionStatus IN (" + ", ".join(f'"{status}"' for status in statuses) + ")"
    seen: set[str] = set()
    async for execution in client.list_workflows(query):
        # A run that rolled over is several executions of one id.
        if execution.id not in seen:
            seen.add(execution.id)
            yield execution.id


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
