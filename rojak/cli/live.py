"""Sessions as Temporal lists them, and one of them opened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from rojak.cli.errors import CommandError, ExitCode
from rojak.client import Rojak
from rojak.workflows import contracts

#: Seconds that commands which only look wait for a worker that answers.
LOOK_PATIENCE: Final = 5.0
_ENDS: Final = {
    WorkflowExecutionStatus.COMPLETED: "completed",
    WorkflowExecutionStatus.FAILED: "failed",
    WorkflowExecutionStatus.CANCELED: "cancelled",
    WorkflowExecutionStatus.TERMINATED: "terminated",
    WorkflowExecutionStatus.TIMED_OUT: "timed_out",
}


class SessionStatus(StrEnum):
    """What a session may be."""

    ACTIVE = "active"
    WAITING = "waiting_for_approval"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"
    TIMED_OUT = "timed_out"


@dataclass(frozen=True)
class SessionEntry:
    """A session in a list.

    Attributes:
        id: of the session.
        agent: the active one; None where Temporal does not know.
        status: a `SessionStatus`.
        task_queue: where the session itself is worked on.
        started: when it began.
        ended: when it ended; None while it is there.
        caller: the session that it works for, if an agent was called as a tool.
    """

    id: str
    agent: str | None
    status: str
    task_queue: str
    started: datetime
    ended: datetime | None
    caller: str | None

    @property
    def is_open(self) -> bool:
        """Whether it can be spoken to."""
        return self.ended is None


def entry_of(execution: WorkflowExecution) -> SessionEntry:
    """The session that a workflow is."""
    attributes = execution.typed_search_attributes
    running = execution.status is None or execution.status is WorkflowExecutionStatus.RUNNING
    status = attributes.get(contracts.STATUS_ATTRIBUTE) or "active" if running else _end_of(execution.status)
    return SessionEntry(
        id=execution.id,
        agent=attributes.get(contracts.AGENT_ATTRIBUTE),
        status=status,
        task_queue=execution.task_queue,
        started=execution.start_time,
        ended=None if running else execution.close_time,
        caller=execution.parent_id,
    )


def _end_of(status: WorkflowExecutionStatus | None) -> str:
    return _ENDS.get(status, "ended") if status is not None else "ended"


def session_query(
    *,
    agent: str | None = None,
    statuses: Sequence[SessionStatus] = (),
    namespace: str | None = None,
) -> str:
    """A list filter of Temporal for sessions."""
    # A session that rolled over is several executions; only the last one is the session.
    parts = [f'WorkflowType = "{contracts.WORKFLOW_NAME}"', 'ExecutionStatus != "ContinuedAsNew"']
    if agent is not None:
        parts.append(f"{contracts.AGENT_ATTRIBUTE.name} = {quoted(agent)}")
    if namespace is not None:
        parts.append(f"TaskQueue STARTS_WITH {quoted(namespace + '.')}")
    if statuses:
        parts.append(f"({' OR '.join(_status_query(status) for status in statuses)})")
    return " AND ".join(parts)


def _status_query(status: SessionStatus) -> str:
    if status in (SessionStatus.ACTIVE, SessionStatus.WAITING):
        return f'(ExecutionStatus = "Running" AND {contracts.STATUS_ATTRIBUTE.name} = "{status.value}")'
    temporal = "Canceled" if status is SessionStatus.CANCELLED else status.value.title().replace("_", "")
    return f'ExecutionStatus = "{temporal}"'


def quoted(text: str) -> str:
    """A text in a list filter."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


async def list_sessions(client: Client, query: str) -> AsyncIterator[SessionEntry]:
    """Sessions that a filter matches, the newest first.

    Raises:
        UnknownAttributesError: the filter needs the search attributes, and the namespace does not have them.
    """
    try:
        async for execution in client.list_workflows(query, page_size=200):
            yield entry_of(execution)
    except RPCError as error:
        if error.status is RPCStatusCode.INVALID_ARGUMENT and "Rojak" in query:
            raise UnknownAttributesError from None
        raise


class UnknownAttributesError(CommandError):
    """The Temporal namespace does not have Rojak's search attributes."""

    def __init__(self) -> None:
        names = (contracts.AGENT_ATTRIBUTE.name, contracts.STATUS_ATTRIBUTE.name)
        super().__init__(
            f"this namespace of Temporal has no search attributes {' and '.join(names)}, which this filter needs. A"
            " worker adds them where it may; elsewhere: "
            + "; ".join(f"temporal operator search-attribute create --name {name} --type Keyword" for name in names)
        )


class NoSessionError(CommandError):
    """There is no session of that id."""

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"there is no session {session_id!r}; `rojak sessions list` shows those that are there", ExitCode.NOT_FOUND
        )


async def find_session(client: Client, session_id: str) -> SessionEntry:
    """The session of that id, in progress or ended.

    Raises:
        NoSessionError: there is none.
        CommandError: what has that id is no session.
    """
    if not session_id.strip():
        raise CommandError("the id of a session is empty", ExitCode.USAGE)
    try:
        description = await client.get_workflow_handle(session_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND and "amespace" not in error.message:
            raise NoSessionError(session_id) from None
        raise
    if description.workflow_type != contracts.WORKFLOW_NAME:
        raise CommandError(
            f"{session_id!r} is a workflow {description.workflow_type}, which is no session", ExitCode.NOT_FOUND
        )
    return entry_of(description)


def open_rojak(client: Client, entry: SessionEntry, *, no_worker_timeout: float | None = LOOK_PATIENCE) -> Rojak:
    """What speaks to a session where it is."""
    return Rojak(client, entry.task_queue, no_worker_timeout=no_worker_timeout)


def plain(model: Any) -> Any:
    """A pydantic model as plain data, for programs."""
    return model.model_dump(mode="json", exclude_none=True)
