"""``rojak operator``: makes a cluster look like its manifests."""

from __future__ import annotations

import asyncio

import typer

from rojak.cli.app import command_app
from rojak_operator.app import run
from rojak_operator.logs import configure
from rojak_operator.settings import OperatorSettings

app = command_app()


@app.command()
def operator() -> None:
    """Run the Kubernetes operator.

    It is set up by environment variables, as pods are; see docs/operator.md.
    """
    settings = OperatorSettings.from_environment()
    configure(settings.log_format)
    raise typer.Exit(asyncio.run(run(settings)))
