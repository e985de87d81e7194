"""Agents that a session waits for and that nobody serves: the session says whom, and the server who polls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import PendingActivityState, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowQueryFailedError
from temporalio.service import RPCError

from rojak.session.awaited import Awaited
from rojak.workflows.contracts import QUERY_AWAITED

#: Pollers ask again at least once a minute; one that was not seen for longer is gone.
_POLLER_FRESHNESS = timedelta(seconds=75)
#: The server, and the session, have so long to say something.
_PATIENCE = timedelta(seconds=5)
_WORKFLOWS = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
_ACTIVITIES = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY


@dataclass(frozen=True)
class Unserved:
    """Nobody polls a task queue, and something waits for it.

    Attributes:
        task_queue: the queue.
        agent_name: the agent that is to work there; None where it is a session as a whole.
    """

    task_queue: str
    agent_name: str | None = None


async def has_worker(client: Client, task_queue: str, kind: TaskQueueType.ValueType = _WORKFLOWS) -> bool:
    """Whether somebody polls the task queue, for workflows unless told otherwise. When the server cannot tell, yes."""
    try:
        answer = await client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=client.namespace, task_queue=TaskQueue(name=task_queue), task_queue_type=kind
            ),
            timeout=_PATIENCE,
        )
    except RPCError:
        return True
    oldest = datetime.now(UTC) - _POLLER_FRESHNESS
    return any(poller.last_access_time.ToDatetime(tzinfo=UTC) > oldest for poller in answer.pollers)


async def find_unserved(client: Client, session_id: str) -> list[Unserved]:
    """The agents that the session, or one that works for it, waits for, and that nobody serves.

    What cannot be found out is left out. Nothing is asked of a session whose calls are being made.
    """
    handle = client.get_workflow_handle(session_id)
    try:
        description = await handle.describe(rpc_timeout=_PATIENCE)
        if description.close_time is not None or _is_at_work(description):
            return []
        awaited = await handle.query(QUERY_AWAITED, result_type=list[Awaited], rpc_timeout=_PATIENCE)
    except (RPCError, WorkflowQueryFailedError):
        return []
    found: list[Unserved] = []
    for entry in awaited:
        queue = entry.task_queue or description.task_queue
        if not await has_worker(client, queue, _ACTIVITIES if entry.session_id is None else _WORKFLOWS):
            found.append(Unserved(queue, entry.agent_name))
        elif entry.session_id is not None:
            found += await find_unserved(client, entry.session_id)
    return list(dict.fromkeys(found))


def _is_at_work(description: WorkflowExecutionDescription) -> bool:
    """Whether workers have taken all that the session waits for."""
    raw = description.raw_description
    started = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
    return (
        bool(raw.pending_activities)
        and not raw.pending_children
        and all(pending.state == started for pending in raw.pending_activities)
    )
