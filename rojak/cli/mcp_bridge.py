"""``rojak mcp-bridge``: an MCP server that speaks over its standard streams, over HTTP."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from rojak.cli.app import command_app
from rojak.hosting.logs import set_up_logs
from rojak.hosting.mcp_bridge import run_bridge

app = command_app()


@app.command()
def mcp_bridge(
    command: Annotated[list[str], typer.Argument(help="The server's program and its arguments, after --.")],
    host: Annotated[str, typer.Option("--host", help="Address to listen at.")] = "0.0.0.0",
    port: Annotated[int, typer.Option("--port", help="Port to listen at; 0 takes a free one.")] = 8080,
    path: Annotated[str, typer.Option("--path", help="Path of the endpoint.")] = "/mcp",
    log_level: Annotated[str, typer.Option("--log-level", help="debug, info, warning or error.")] = "info",
    log_format: Annotated[str, typer.Option("--log-format", help="text or json.")] = "text",
) -> None:
    """Serve an MCP server that speaks over its standard streams.

    Streamable HTTP; /healthz, and /readyz once the server has listed its tools.
    """
    set_up_logs(log_level, log_format)
    asyncio.run(run_bridge(command, host=host, port=port, path=path))
