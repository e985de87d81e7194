"""``rojak dev``: manifests on a laptop, with everything that they need."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rojak.cli.app import command_app
from rojak.cli.output import is_interactive
from rojak.laptop.board import Board
from rojak.laptop.options import Options
from rojak.laptop.screen import lines_board, live_board
from rojak.laptop.workers import Launcher

if TYPE_CHECKING:
    from rojak.laptop.laptop import Laptop

app = command_app()


@app.command()
def dev(
    files: Annotated[
        list[Path], typer.Option("--filename", "-f", help="File or folder with manifests; Python files beside them.")
    ],
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Namespace of objects that do not say.", envvar="ROJAK_NAMESPACE")
    ] = "default",
    address: Annotated[
        str | None,
        typer.Option("--address", help="Use the Temporal at this host:port (TEMPORAL_ADDRESS); one is started else."),
    ] = None,
    temporal_namespace: Annotated[
        str, typer.Option("--temporal-namespace", help="Temporal's namespace.", envvar="TEMPORAL_NAMESPACE")
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

    A worker process for each pool, MCP servers, schedules: what a cluster would do.

    Changes of the files are live as soon as they are saved. Ctrl-C stops everything that was started; a second one does
    so at once.

    Key api-key of Secret openai is looked for among the files, and in OPENAI_API_KEY; likewise others. Where a model
    has no key, a model_script.py beside the manifests plays its part.
    """
    options = Options(
        paths=tuple(files),
        namespace=namespace,
        address=address or os.environ.get("TEMPORAL_ADDRESS") or None,
        temporal_namespace=temporal_namespace,
        data=data,
        env_file=env_file,
        script=script,
        watch=watch,
    )
    with live_board() if is_interactive() and not plain else lines_board() as board:
        asyncio.run(_run(options, board))


async def _run(options: Options, board: Board) -> None:
    """Run until SIGINT, SIGTERM or SIGHUP; told twice, let go of everything at once: it ends with this process."""
    with tempfile.TemporaryDirectory(prefix="rojak-dev-") as folder:
        launcher = Launcher(board, Path(folder))
        # Importing is what takes longest, here and there: let both do it at the same time.
        await launcher.prepare()
        try:
            from rojak.laptop.laptop import Laptop

            await _run_until_told(Laptop(options, launcher, board))
        finally:
            await launcher.close()


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
