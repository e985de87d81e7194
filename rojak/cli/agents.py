"""``rojak agents``: who is served, by how many workers, and what they have to do."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Annotated, Any

import typer
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from rojak.cli.app import command_app
from rojak.cli.connection import Connection, NamespaceOption, OnlyNamespaceOption, with_connection
from rojak.cli.errors import CommandError, ExitCode
from rojak.cli.live import SessionStatus, plain, session_query
from rojak.cli.output import Format, OutputOption, print_data, print_rows
from rojak.client.agents import describe_agent, list_agents
from rojak.manifests import task_queue_of
from rojak.types.described import AgentDescription
from rojak.types.errors import AgentNotFoundError, NoWorkerError

app = command_app(help="Agents that somebody serves: list, show.", no_args_is_help=True)


@app.command("list")
@with_connection
def list_command(
    connection: Connection, namespace: OnlyNamespaceOption = None, output: OutputOption = Format.TABLE
) -> None:
    """List the agents that worker processes serve now."""
    rows = [_row(agent) for agent in asyncio.run(_list(connection))]
    columns: dict[str, Any] = {
        "agent": "name",
        "namespace": "namespace",
        "model": "model",
        "tools": "tools",
        "hands over to": "hands_over_to",
        "workers": lambda row: len(row["workers"]),
    }
    rows = [row for row in rows if namespace is None or row["namespace"] == namespace]
    print_rows(rows, columns, output, empty="no agents are served; `rojak dev -f DIR` serves those of manifests")


def _row(agent: AgentDescription) -> dict[str, Any]:
    return {"name": agent.name, "namespace": _namespace_of(agent), **plain(agent)}


def _namespace_of(agent: AgentDescription) -> str | None:
    """Of its manifest; None for one that comes from elsewhere."""
    namespace = agent.task_queue.removesuffix(f".{agent.name}")
    return namespace if namespace != agent.task_queue else None


async def _list(connection: Connection) -> list[AgentDescription]:
    return await list_agents(await connection.connect())


@app.command("show")
@with_connection
def show_command(
    connection: Connection,
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="Name of the agent.")],
    namespace: NamespaceOption = "default",
    output: OutputOption = Format.TABLE,
) -> None:
    """Show an agent: what it is, who serves it, and its sessions."""
    shown = asyncio.run(_show(connection, agent, namespace))
    if output is not Format.TABLE:
        print_data(shown, output)
        return
    lines = {
        "agent": shown["name"],
        "namespace": shown["namespace"],
        "task queue": shown["task_queue"],
        "model": f"{shown['model']} ({shown['type']})",
        "tools": ", ".join(shown["tools"]),
        "hands over to": ", ".join(shown["hands_over_to"]),
        "changes": "do not reach sessions that met it" if shown["pinned"] else "reach sessions with their next turn",
        "waiting calls": shown["waiting_calls"],
        "sessions": ", ".join(f"{count} {status}" for status, count in shown["sessions"].items()) or "none",
    }
    for name, value in lines.items():
        typer.echo(f"{name + ':':<15}{'-' if value in (None, '') else value}")


async def _show(connection: Connection, name: str, namespace: str) -> dict[str, Any]:
    client = await connection.connect()
    queue = task_queue_of(namespace, name)
    try:
        agent = await describe_agent(client, queue, name)
    except NoWorkerError:
        raise CommandError(
            f"nobody serves an agent {name!r} of namespace {namespace!r} (task queue {queue!r}); `rojak agents list`"
            " shows those that are served",
            ExitCode.NOT_FOUND,
        ) from None
    except AgentNotFoundError as error:
        raise CommandError(str(error), ExitCode.NOT_FOUND) from None
    return {
        "name": name,
        "namespace": namespace,
        "pinned": agent.pinned,
        "tools": [],
        "hands_over_to": [],
        **plain(agent.model_copy(update={"workers": []})),
        "waiting_calls": await _backlog(client, queue),
        "sessions": await _count_sessions(client, name, namespace),
    }


async def _backlog(client: Client, queue: str) -> int:
    """How many calls wait for a worker."""
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        report_stats=True,
    )
    answer = await client.workflow_service.describe_task_queue(request, timeout=timedelta(seconds=10))
    return answer.stats.approximate_backlog_count


async def _count_sessions(client: Client, name: str, namespace: str) -> dict[str, int]:
    """Open sessions where the agent is active, by status; none where Temporal cannot tell."""
    found: Counter[str] = Counter()
    for status in (SessionStatus.ACTIVE, SessionStatus.WAITING):
        query = session_query(agent=name, statuses=[status], namespace=namespace)
        try:
            found[status.value] = (await client.count_workflows(query)).count
        except RPCError as error:
            if error.status is not RPCStatusCode.INVALID_ARGUMENT:
                raise
    return dict(+found)
