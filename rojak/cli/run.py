"""``rojak run``: one task, its answer, and an exit code that says how it went. Made for scripts."""

from __future__ import annotations

import asyncio
import sys
from enum import StrEnum
from typing import Annotated

import typer

from rojak.cli.app import command_app
from rojak.cli.arguments import (
    WORKER_PATIENCE,
    AgentArgument,
    TaskQueueOption,
    WaitForWorkerOption,
    check_text,
    context_of,
    new_session_id,
    queue_for,
)
from rojak.cli.connection import Connection, NamespaceOption, show_notes, with_connection
from rojak.cli.errors import CommandError, ExitCode
from rojak.cli.output import Format, OutputOption

app = command_app()


class Approve(StrEnum):
    """Which tool calls are approved without asking."""

    NONE = "none"
    ALL = "all"


@app.command()
@with_connection
def run(
    connection: Connection,
    agent: AgentArgument,
    message: Annotated[
        str | None, typer.Argument(metavar="[MESSAGE]", help="What to say; from standard input if left out, or -.")
    ] = None,
    session: Annotated[
        str | None, typer.Option("--session", help="Go on in this session, or begin it; else a run of its own.")
    ] = None,
    context: Annotated[
        list[str] | None,
        typer.Option("--context", "-c", metavar="NAME=VALUE", help="A context variable; JSON is data. Repeatable."),
    ] = None,
    approve: Annotated[
        Approve, typer.Option("--approve", help="Approve no tool calls, or all that wait.")
    ] = Approve.NONE,
    timeout: Annotated[
        float | None, typer.Option("--timeout", min=0.001, help="Seconds to wait for the answer; the run goes on.")
    ] = None,
    namespace: NamespaceOption = "default",
    task_queue: TaskQueueOption = None,
    wait_for_worker: WaitForWorkerOption = WORKER_PATIENCE,
    output: OutputOption = Format.TABLE,
) -> None:
    """Give an agent a task and print its answer.

    Standard output has the answer alone, or with -o json all that came of it. Exit codes: 0 answered, 1 failed,
    3 waits for approval, 4 reached a limit, 5 nobody serves the agent, 6 no connection, 7 timed out.
    """
    queue = queue_for(agent, namespace, task_queue)
    text = check_text(_text(message))
    variables = context_of(context or ())
    session_id = session or new_session_id(agent)
    show_notes()

    async def work() -> ExitCode:
        client = await connection.connect()
        # Not before: whoever has no server is told so at once.
        from rojak.cli.single_run import SingleRun

        single = SingleRun(
            client,
            queue,
            session_id,
            is_persistent=session is not None,
            approve_all=approve is Approve.ALL,
            worker_patience=wait_for_worker,
        )
        return await single.do(agent, text, variables, timeout=timeout, output=output)

    try:
        code = asyncio.run(work())
    except KeyboardInterrupt:
        print(f"interrupted; the run goes on: rojak sessions show {session_id}", file=sys.stderr)
        code = ExitCode.INTERRUPTED
    raise typer.Exit(code)


def _text(message: str | None) -> str:
    if message not in (None, "-"):
        return str(message)
    if message is None and sys.stdin.isatty():
        raise CommandError("say what the agent is to do: rojak run AGENT 'MESSAGE'", ExitCode.USAGE)
    return sys.stdin.read()
