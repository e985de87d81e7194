"""``rojak schedules``: agents that run at set times."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from temporalio.client import (
    Client,
    ScheduleActionStartWorkflow,
    ScheduleHandle,
    ScheduleListActionStartWorkflow,
    ScheduleListDescription,
)
from temporalio.service import RPCError, RPCStatusCode

from rojak.cli.app import command_app
from rojak.cli.connection import Connection, NamespaceOption, OnlyNamespaceOption, with_connection
from rojak.cli.errors import CommandError, ExitCode
from rojak.cli.output import Format, OutputOption, print_rows
from rojak.cli.times import iso, span, until
from rojak.manifests import schedule_id_of
from rojak.workflows.contracts import SCHEDULED_TURN_NAME, WORKFLOW_NAME

app = command_app(help="Schedules: list, trigger, pause, resume, delete.", no_args_is_help=True)

ScheduleArgument = Annotated[
    str, typer.Argument(metavar="SCHEDULE", help="Name of a Schedule, or the id of a schedule in Temporal.")
]
#: The workflows of schedules that run agents.
_OURS = (WORKFLOW_NAME, SCHEDULED_TURN_NAME)
NoteOption = Annotated[str | None, typer.Option("--note", help="Why; kept with the schedule.")]


@app.command("list")
@with_connection
def list_command(
    connection: Connection, namespace: OnlyNamespaceOption = None, output: OutputOption = Format.TABLE
) -> None:
    """List schedules with their last and next runs."""
    rows = asyncio.run(_list(connection, namespace))
    now = datetime.now(UTC)
    columns: dict[str, Any] = {
        "schedule": "schedule",
        "paused": "paused",
        "last run": lambda row: _last(row, now),
        "next run": lambda row: until(_moment(row["next_runs"][0]), now) if row["next_runs"] else None,
        "session": lambda row: (row["last_run"] or {}).get("session"),
        "note": "note",
    }
    print_rows(rows, columns, output, empty="no schedules")


def _last(row: Any, now: datetime) -> str | None:
    if row["last_run"] is None:
        return None
    return f"{span((now - _moment(row['last_run']['started'])).total_seconds())} ago"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


async def _list(connection: Connection, namespace: str | None) -> list[dict[str, Any]]:
    client = await connection.connect()
    prefix = "" if namespace is None else f"{namespace}."
    found = [entry async for entry in _schedules(client) if entry.id.startswith(prefix)]
    return [_row(entry) for entry in sorted(found, key=lambda entry: entry.id)]


async def _schedules(client: Client) -> AsyncIterator[ScheduleListDescription]:
    """Those that run agents; Temporal may have others."""
    async for entry in await client.list_schedules():
        action = entry.schedule.action if entry.schedule else None
        if isinstance(action, ScheduleListActionStartWorkflow) and action.workflow in _OURS:
            yield entry


def _row(entry: ScheduleListDescription) -> dict[str, Any]:
    info, state = entry.info, entry.schedule.state if entry.schedule else None
    last = info.recent_actions[-1] if info and info.recent_actions else None
    paused = bool(state and state.paused)
    upcoming = info.next_action_times if info and not paused else []
    return {
        "schedule": entry.id,
        "paused": paused,
        "note": (state.note if state else None) or None,
        "last_run": None
        if last is None
        else {"started": iso(last.started_at), "session": getattr(last.action, "workflow_id", None)},
        "next_runs": [iso(moment) for moment in upcoming],
    }


@app.command("trigger")
@with_connection
def trigger_command(connection: Connection, schedule: ScheduleArgument, namespace: NamespaceOption = "default") -> None:
    """Run a schedule now, besides its times."""
    asyncio.run(_act(connection, schedule, namespace, "was triggered", lambda handle: handle.trigger()))


@app.command("pause")
@with_connection
def pause_command(
    connection: Connection, schedule: ScheduleArgument, namespace: NamespaceOption = "default", note: NoteOption = None
) -> None:
    """Let a schedule rest."""
    said = note or "paused with rojak schedules pause"
    asyncio.run(_act(connection, schedule, namespace, "is paused", lambda handle: handle.pause(note=said)))


@app.command("resume")
@with_connection
def resume_command(
    connection: Connection, schedule: ScheduleArgument, namespace: NamespaceOption = "default", note: NoteOption = None
) -> None:
    """Let a schedule go on."""
    said = note or "resumed with rojak schedules resume"
    asyncio.run(_act(connection, schedule, namespace, "goes on", lambda handle: handle.unpause(note=said)))


@app.command("delete")
@with_connection
def delete_command(connection: Connection, schedule: ScheduleArgument, namespace: NamespaceOption = "default") -> None:
    """Delete a schedule. One that comes from a manifest comes back, as long as the manifest is there."""
    asyncio.run(_act(connection, schedule, namespace, "was deleted", lambda handle: handle.delete()))


async def _act(connection: Connection, name: str, namespace: str, outcome: str, act: Any) -> None:
    client = await connection.connect()
    handle = await _find(client, name, namespace)
    await act(handle)
    typer.echo(f"{handle.id} {outcome}")


async def _find(client: Client, name: str, namespace: str) -> ScheduleHandle:
    """The schedule that a Schedule of that name is, or else the one of that id.

    Raises:
        CommandError: there is none, or it runs no agent.
    """
    for schedule_id in dict.fromkeys((schedule_id_of(namespace, name), name)):
        handle = client.get_schedule_handle(schedule_id)
        try:
            action = (await handle.describe()).schedule.action
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND and "amespace" not in error.message:
                continue
            raise
        if not isinstance(action, ScheduleActionStartWorkflow) or action.workflow not in _OURS:
            raise CommandError(f"the schedule {schedule_id!r} runs no agent; it is left alone", ExitCode.NOT_FOUND)
        return handle
    raise CommandError(
        f"there is no schedule {name!r} in namespace {namespace!r}; `rojak schedules list` shows those that are there",
        ExitCode.NOT_FOUND,
    )
