"""Runs at set times: Temporal schedules whose action is a stateless run, or a turn of a session that goes on."""

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
from temporalio.common import TypedSearchAttributes

from rojak.client.gateway import SessionGateway
from rojak.client.tasks import check_has_agent
from rojak.session.task import Task
from rojak.types.errors import ConfigurationError
from rojak.workflows import contracts
from rojak.workflows.contracts import ScheduledTurn

_STATUSES = {
    "".join(part.capitalize() for part in status.name.split("_")): status for status in WorkflowExecutionStatus
}


async def create_schedule(
    gateway: SessionGateway, schedule_id: str, spec: ScheduleSpec, task: Task, *, continued: bool = False
) -> ScheduleHandle:
    """Create the schedule.

    Args:
        gateway: to the task queue.
        schedule_id: of the schedule; where it is ``continued`` also of the session that all runs share.
        spec: when.
        task: what to do.
        continued: whether the runs are one conversation.

    Raises:
        ConfigurationError: there is one of that id, or the task names no agent.
    """
    check_has_agent(task)
    attributes = await gateway.search_attributes(task)
    if continued:
        # It has no status to keep up: that is the session's.
        attributes = TypedSearchAttributes([pair for pair in attributes if pair.key != contracts.STATUS_ATTRIBUTE])
    action = ScheduleActionStartWorkflow(
        contracts.SCHEDULED_TURN_NAME if continued else contracts.WORKFLOW_NAME,
        ScheduledTurn(session_id=schedule_id, task=task) if continued else gateway.session_input("stateless", task),
        id=schedule_id,
        task_queue=gateway.task_queue,
        typed_search_attributes=attributes,
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
