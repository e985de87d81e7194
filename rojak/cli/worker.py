"""``rojak worker``: the process that does the work."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from rojak.cli.app import command_app
from rojak.hosting.logs import set_up_logs
from rojak.hosting.process import run_worker_process
from rojak.workerconfig.load import load_worker_config

app = command_app()


@app.command()
def worker(
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration: YAML or JSON.", dir_okay=False)],
    host: Annotated[str | None, typer.Option("--host", help="Address for health and metrics.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port for health and metrics; 0 takes a free one.")] = None,
    log_level: Annotated[str, typer.Option("--log-level", help="debug, info, warning or error.")] = "info",
    log_format: Annotated[str, typer.Option("--log-format", help="text or json.")] = "text",
) -> None:
    """Serve the agents of a configuration.

    SIGTERM lets it finish what it does; a second one ends it at once.
    """
    set_up_logs(log_level, log_format)
    loaded = load_worker_config(config)
    http = loaded.http.model_copy(update={k: v for k, v in (("host", host), ("port", port)) if v is not None})
    asyncio.run(run_worker_process(loaded.model_copy(update={"http": http})))
    logging.shutdown()
    sys.stderr.flush()
