"""``rojak sessions``: which sessions there are, what was said in them, and ending them."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from rojak.cli.app import command_app
from rojak.cli.connection import Connection, OnlyNamespaceOption, with_connection
from rojak.cli.live import (
    SessionEntry,
    SessionStatus,
    find_session,
    list_sessions,
    open_rojak,
    plain,
    session_query,
)
from rojak.cli.output import Format, OutputOption, console, print_data, print_rows
from rojak.cli.times import iso, span
from rojak.cli.view import render_messages, write
from rojak.client.errors import describe_missing
from rojak.client.unserved import Unserved
from rojak.types.session import SessionConfig

app = command_app(help="Sessions: list, show, cancel.", no_args_is_help=True)

SessionArgument = Annotated[str, typer.Argument(metavar="SESSION", help="Id of the session.")]


@app.command("list")
@with_connection
def list_command(
    connection: Connection,
    agent: Annotated[str | None, typer.Option("--agent", "-a", help="Only those where this agent is active.")] = None,
    status: Annotated[
        list[SessionStatus] | None, typer.Option("--status", "-s", help="Only those of this status; may be repeated.")
    ] = None,
    namespace: OnlyNamespaceOption = None,
    limit: Annotated[int, typer.Option("--limit", "-l", min=1, help="So many at most, the newest.")] = 50,
    output: OutputOption = Format.TABLE,
) -> None:
    """List sessions, the newest first."""
    query = session_query(agent=agent, statuses=status or (), namespace=namespace)
    found, more = asyncio.run(_list(connection, query, limit))
    columns: dict[str, Any] = {"session": "session", "agent": "agent", "status": "status", "age": _age}
    if any(entry.caller is not None for entry in found):
        columns["called by"] = "caller"
    print_rows([_row(entry) for entry in found], columns, output, empty="no sessions")
    if more:
        print(f"there are more; --limit {limit * 2} shows twice as many", file=sys.stderr)


async def _list(connection: Connection, query: str, limit: int) -> tuple[list[SessionEntry], bool]:
    found: list[SessionEntry] = []
    async for entry in list_sessions(await connection.connect(), query):
        if len(found) == limit:
            return found, True
        found.append(entry)
    return found, False


def _row(entry: SessionEntry) -> dict[str, Any]:
    return {
        "session": entry.id,
        "agent": entry.agent,
        "status": entry.status,
        "task_queue": entry.task_queue,
        "started": iso(entry.started),
        "ended": iso(entry.ended),
        "caller": entry.caller,
    }


def _age(row: Any) -> str:
    return span((datetime.now(UTC) - datetime.fromisoformat(row["started"])).total_seconds())


@app.command("show")
@with_connection
def show_command(connection: Connection, session: SessionArgument, output: OutputOption = Format.TABLE) -> None:
    """Print what was said in a session, and what it is doing."""
    entry, config, missing = asyncio.run(_show(connection, session))
    if output is not Format.TABLE:
        settings = {k: v for k, v in plain(config).items() if k != "agent"}
        name = config.agent.name if config.agent else entry.agent
        unserved = [{"agent": each.agent_name, "task_queue": each.task_queue} for each in missing]
        print_data({**_row(entry), **settings, "agent": name, "unserved": unserved}, output)
        return
    screen = console()
    write(screen, render_messages(config.messages))
    if not config.messages:
        print("nothing was said yet", file=sys.stderr)
    if entry.status == SessionStatus.WAITING:
        print(f"It waits for approval: rojak approvals list --session {session}", file=sys.stderr)
    elif not entry.is_open:
        print(f"It has ended ({entry.status}).", file=sys.stderr)
    for each in missing:
        print(f"It waits: {describe_missing(each.task_queue, each.agent_name)}.", file=sys.stderr)


async def _show(connection: Connection, session: str) -> tuple[SessionEntry, SessionConfig, list[Unserved]]:
    client = await connection.connect()
    entry = await find_session(client, session)
    rojak = open_rojak(client, entry)
    if entry.status == SessionStatus.COMPLETED:
        # How a single run ended is in its history; no worker is needed to read it.
        result = await rojak.get_result(session)
        return entry, SessionConfig(type="stateless", **_shared(result)), []
    return entry, await rojak.get_config(session), await rojak.find_unserved(session)


def _shared(result: Any) -> dict[str, Any]:
    names = ("messages", "agent", "context_variables", "usage")
    return {name: getattr(result, name) for name in names if getattr(result, name, None) is not None}


@app.command("cancel")
@with_connection
def cancel_command(
    connection: Connection,
    sessions: Annotated[list[str], typer.Argument(metavar="SESSION...", help="Ids of the sessions.")],
) -> None:
    """End sessions, with what they are doing."""
    asyncio.run(_cancel(connection, sessions))


async def _cancel(connection: Connection, sessions: list[str]) -> None:
    client = await connection.connect()
    for session in sessions:
        entry = await find_session(client, session)
        if not entry.is_open:
            print(f"{session} has ended already ({entry.status})", file=sys.stderr)
            continue
        await open_rojak(client, entry).cancel(session)
        entry = await find_session(client, session)
        outcome = "is told to end, as soon as a worker is there" if entry.is_open else "was cancelled"
        typer.echo(f"{session} {outcome}")
