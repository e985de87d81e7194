"""``rojak dev``: manifests on a laptop, with everything that they need."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rojak.cli.app import command_app
from rojak.cli.connection import Connection, with_connection
from rojak.cli.errors import CommandError, ExitCode
from rojak.cli.output import is_interactive
from rojak.laptop.board import Board
from rojak.laptop.folder import own_folder
from rojak.laptop.options import Options
from rojak.laptop.screen import lines_board, live_board
from rojak.laptop.workers import Launcher

if TYPE_CHECKING:
    from rojak.laptop.laptop import Laptop

app = command_app()


@app.command()
@with_connection
def dev(
    connection: Connection,
    files: Annotated[
        list[Path], typer.Option("--filename", "-f", help="File or folder with manifests; Python files beside them.")
    ],
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Namespace of objects that do not say.", envvar="ROJAK_NAMESPACE")
    ] = "default",
    data: Annotated[
        Path | None, typer.Option("--data", help="Keep sessions in this folder, for the next time.", file_okay=False)
    ] = None,
    env_file: Annotated[
        Path | None, typer.Option("--env-file", help="File with lines NAME=value, for Secrets.", dir_okay=False)
    ] = None,
    script: Annotated[
        Path | None,
        typer.Option("--script", help="Let this model script play all agents' models, keys or not.", dir_okay=False),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch/--no-watch", help="Follow changes of the files.")] = True,
    plain: Annotated[bool, typer.Option("--plain", help="Lines instead of a table, also on a terminal.")] = False,
) -> None:
    """Run manifests on this machine, with Temporal and all.

    A worker process for each pool, MCP servers, schedules: what a cluster would do. Temporal is started too, unless
    --address, TEMPORAL_ADDRESS or a profile names one that runs.

    Changes of the files are live as soon as they are saved. Ctrl-C stops everything that was started; a second one does
    so at once.

    Key api-key of Secret openai is looked for among the files, and in OPENAI_API_KEY; likewise others. Where a model
    has no key, a model_script.py beside the manifests plays its part.
    """
    options = Options(paths=tuple(files), namespace=namespace, data=data, env_file=env_file, script=script, watch=watch)
    with live_board() if is_interactive() and not plain else lines_board() as board:
        asyncio.run(_run(options, connection, board))


async def _run(options: Options, connection: Connection, board: Board) -> None:
    """Run until SIGINT, SIGTERM or SIGHUP; told twice, let go of everything at once: it ends with this process."""
    with own_folder() as folder:
        launcher = Launcher(board, folder)
        # Importing is what takes longest, here and there: let both do it at the same time.
        await launcher.prepare()
        try:
            from rojak.laptop.laptop import Laptop

            await _run_until_told(Laptop(_with_temporal(options, connection), launcher, board))
        finally:
            await launcher.close()


def _with_temporal(options: Options, connection: Connection) -> Options:
    """The options, and which Temporal is meant."""
    found = connection.resolve_named()
    is_named = "target_host" in found
    if is_named and options.data is not None:
        raise CommandError(
            f"--data is where a Temporal that is started keeps its data, and the one at {found['target_host']} runs"
            " already: leave out --data or that address (--address, TEMPORAL_ADDRESS, a profile)",
            ExitCode.USAGE,
        )
    if not is_named and (login := _login_flags(connection)):
        raise CommandError(
            f"{login[0]} is for a Temporal that runs already, and nothing says where: name it with --address,"
            " TEMPORAL_ADDRESS or a profile; without any, `rojak dev` starts one that asks for no login",
            ExitCode.USAGE,
        )
    return replace(
        options,
        temporal=found if is_named else None,
        temporal_namespace=found.get("namespace", options.temporal_namespace),
        flags=tuple(connection.flags()),
    )


def _login_flags(connection: Connection) -> list[str]:
    only_login = replace(connection, temporal_namespace=None, tls=connection.tls or None)
    key = [] if connection.api_key is None else ["--api-key"]
    return [*key, *(flag for flag in only_login.flags() if flag.startswith("--"))]


async def _run_until_told(laptop: Laptop) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    task = asyncio.ensure_future(laptop.run(stop))

    def handle() -> None:
        if stop.is_set():
            task.cancel()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, handle)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        # A start that hangs can be interrupted too.
        await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not task.done() and not laptop.is_up:
            task.cancel()
        await task
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        stopping.cancel()
