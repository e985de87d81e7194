"""``rojak approvals``: what waits for a human, in all sessions, and the decisions."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from rojak.cli.app import command_app
from rojak.cli.arguments import arguments_object
from rojak.cli.connection import Connection, OnlyNamespaceOption, with_connection
from rojak.cli.decisions import send_decision
from rojak.cli.errors import CommandError, ExitCode, describe
from rojak.cli.live import (
    SessionEntry,
    SessionStatus,
    UnknownAttributesError,
    find_session,
    list_sessions,
    open_rojak,
    session_query,
)
from rojak.cli.output import Format, OutputOption, print_rows
from rojak.cli.times import ago, iso, moment_of, until
from rojak.cli.view import call_line
from rojak.types.errors import RojakError
from rojak.types.session import ResumeRequest, ResumeResponse

if TYPE_CHECKING:
    from temporalio.client import Client

app = command_app(help="Tool calls that wait for a human: list, approve, reject.", no_args_is_help=True)

#: Sessions that are asked at a time, and seconds that one of them may take.
_PARALLEL: Final = 10
_PATIENCE: Final = 10.0

SessionArgument = Annotated[str, typer.Argument(metavar="SESSION", help="Id of the session.")]
CallArgument = Annotated[
    str | None, typer.Argument(metavar="[CALL]", help="Id of the tool call; may be left out when only one waits.")
]
AllOption = Annotated[bool, typer.Option("--all", help="All calls of the session that wait now.")]


@app.command("list")
@with_connection
def list_command(
    connection: Connection,
    session: Annotated[str | None, typer.Option("--session", help="Only those of this session.")] = None,
    agent: Annotated[str | None, typer.Option("--agent", "-a", help="Only where this agent is active.")] = None,
    namespace: OnlyNamespaceOption = None,
    limit: Annotated[int, typer.Option("--limit", "-l", min=1, help="Sessions to ask at most.")] = 200,
    output: OutputOption = Format.TABLE,
) -> None:
    """List the tool calls that wait, the longest wait first."""
    rows = asyncio.run(_list(connection, session, agent, namespace, limit))
    columns: dict[str, Any] = {
        "session": "session",
        "call": "call",
        "agent": "agent",
        "what": lambda row: call_line(row["tool"], row["arguments"]),
        "waits for": lambda row: ago(_moment(row["asked_at"])),
        "expires": lambda row: until(_moment(row["expires_at"])) or "never",
    }
    print_rows(rows, columns, output, empty="nothing waits for approval")


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


async def _list(
    connection: Connection, session: str | None, agent: str | None, namespace: str | None, limit: int
) -> list[dict[str, Any]]:
    client = await connection.connect()
    if session is not None:
        entries = [await find_session(client, session)]
    else:
        entries = await _find_waiting(client, agent, namespace, limit)
    gate = asyncio.Semaphore(_PARALLEL)

    async def ask(entry: SessionEntry) -> list[tuple[str, ResumeRequest]]:
        async with gate:
            return [(entry.id, request) for request in await _pending(client, entry)]

    found = [pair for part in await asyncio.gather(*map(ask, entries)) for pair in part]
    found.sort(key=lambda pair: pair[1].asked_at or 0)
    return [_row(session_id, request) for session_id, request in found]


async def _find_waiting(client: Client, agent: str | None, namespace: str | None, limit: int) -> list[SessionEntry]:
    try:
        query = session_query(agent=agent, statuses=[SessionStatus.WAITING], namespace=namespace)
        return await _take(client, query, limit)
    except UnknownAttributesError as error:
        if agent is not None:
            raise
        print(f"note: every session is asked, since {error}", file=sys.stderr)
        query = session_query(namespace=namespace) + ' AND ExecutionStatus = "Running"'
        return await _take(client, query, limit)


async def _take(client: Client, query: str, limit: int) -> list[SessionEntry]:
    entries: list[SessionEntry] = []
    async for entry in list_sessions(client, query):
        # What waits in a session that works for another one is in the list of the other one, too.
        if entry.caller is None:
            entries.append(entry)
        if len(entries) == limit:
            print(f"note: only {limit} sessions are asked; --limit asks more", file=sys.stderr)
            break
    return entries


async def _pending(client: Client, entry: SessionEntry) -> list[ResumeRequest]:
    """What waits in a session. One that does not answer is named, and the others are listed."""
    if not entry.is_open:
        return []
    try:
        async with asyncio.timeout(_PATIENCE):
            return await open_rojak(client, entry).get_pending_approvals(entry.id)
    except TimeoutError:
        print(f"note: session {entry.id} does not answer", file=sys.stderr)
    except RojakError as error:
        print(f"note: session {entry.id}: {describe(error)}", file=sys.stderr)
    return []


def _row(session: str, request: ResumeRequest) -> dict[str, Any]:
    return {
        "session": session,
        "call": request.tool_id,
        "agent": request.agent_name,
        "tool": request.tool_name,
        "arguments": request.tool_arguments,
        "question": request.question,
        "asked_at": iso(moment_of(request.asked_at)),
        "expires_at": iso(moment_of(request.expires_at)),
    }


@app.command("approve")
@with_connection
def approve_command(
    connection: Connection,
    session: SessionArgument,
    call: CallArgument = None,
    arguments: Annotated[
        str | None, typer.Option("--arguments", help="JSON object to make the call with instead; - for standard input.")
    ] = None,
    everything: AllOption = False,
) -> None:
    """Let a tool call be made, with other arguments if you like."""
    if everything and arguments is not None:
        raise CommandError("--all and --arguments do not go together; approve one call after another", ExitCode.USAGE)
    changed = None
    if arguments is not None:
        changed = json.dumps(arguments_object(sys.stdin.read() if arguments == "-" else arguments))
    asyncio.run(_decide(connection, session, call, everything, {"action": "approve", "tool_arguments": changed}))


@app.command("reject")
@with_connection
def reject_command(
    connection: Connection,
    session: SessionArgument,
    call: CallArgument = None,
    reason: Annotated[str | None, typer.Option("--reason", "-r", help="Told to the model.")] = None,
    everything: AllOption = False,
) -> None:
    """Keep a tool call from being made; the agent goes on without it."""
    asyncio.run(_decide(connection, session, call, everything, {"action": "reject", "content": reason}))


async def _decide(
    connection: Connection, session: str, call: str | None, everything: bool, decision: dict[str, Any]
) -> None:
    client = await connection.connect()
    entry = await find_session(client, session)
    if not entry.is_open:
        raise CommandError(f"session {session!r} has ended ({entry.status}); nothing waits in it", ExitCode.NOT_FOUND)
    rojak = open_rojak(client, entry)
    pending = await rojak.get_pending_approvals(session)
    done = "approved" if decision["action"] == "approve" else "rejected"
    for request in _chosen(pending, session, call, everything):
        await send_decision(rojak, session, ResumeResponse(tool_id=request.tool_id, **decision))
        typer.echo(f"{done} {request.tool_name} ({request.tool_id})")


def _chosen(pending: list[ResumeRequest], session: str, call: str | None, everything: bool) -> list[ResumeRequest]:
    """The calls that a decision is about."""
    listed = ", ".join(f"{request.tool_id} ({request.tool_name})" for request in pending)
    if not pending:
        raise CommandError(f"nothing waits for approval in session {session!r}", ExitCode.NOT_FOUND)
    if call is not None and everything:
        raise CommandError("name a call, or give --all, not both", ExitCode.USAGE)
    if call is None:
        if len(pending) > 1 and not everything:
            raise CommandError(f"several calls wait; name one of them, or give --all: {listed}", ExitCode.USAGE)
        return pending
    chosen = [request for request in pending if request.tool_id == call]
    if not chosen:
        raise CommandError(f"call {call!r} waits for no approval. Waiting now: {listed}", ExitCode.NOT_FOUND)
    return chosen
