"""``rojak chat``: a conversation with an agent at a terminal, or line by line from a pipe.

The session lives in Temporal: leaving the chat, losing the network or the worker ends nothing. What was being waited
for is shown when the person comes back, to this chat or to another one.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from rojak.cli.app import command_app
from rojak.cli.arguments import WORKER_PATIENCE, AgentArgument, TaskQueueOption, WaitForWorkerOption, queue_for
from rojak.cli.connection import Connection, NamespaceOption, show_notes, with_connection

app = command_app()


@app.command()
@with_connection
def chat(
    connection: Connection,
    agent: AgentArgument,
    session: Annotated[
        str | None, typer.Option("--session", help="Continue this session, or begin it; else a new one.")
    ] = None,
    namespace: NamespaceOption = "default",
    task_queue: TaskQueueOption = None,
    wait_for_worker: WaitForWorkerOption = WORKER_PATIENCE,
) -> None:
    """Talk to an agent.

    Ctrl-C stops waiting for an answer (the run goes on), Ctrl-D leaves. Without a terminal each line of standard
    input is a message.
    """
    queue = queue_for(agent, namespace, task_queue)
    show_notes()
    flags = [*([] if namespace == "default" else ["-n", namespace]), *connection.flags()]
    if task_queue is not None:
        flags += ["--task-queue", task_queue]
    with asyncio.Runner() as runner:
        client = runner.run(connection.connect())
        # Not before: a person whose server is down is told so at once.
        from rojak.cli.terminal import hold_chat
        from rojak.client import Rojak

        rojak = Rojak(client, queue, no_worker_timeout=wait_for_worker)
        code = hold_chat(runner, rojak, agent=agent, session=session, flags=flags)
    raise typer.Exit(code)
