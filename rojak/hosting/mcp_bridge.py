"""Makes an MCP server that speaks over its standard streams one that speaks streamable HTTP.

One child serves all who call; when it dies it is started again, and calls meanwhile are errors that say so. Tools pass
through; prompts and resources do not, as agents have no use for them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
from collections.abc import Sequence
from typing import Any, Final

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from rojak.hosting.http import serving
from rojak.mcp.errors import MCPServerError
from rojak.mcp.server import MCPServer
from rojak.types.errors import ConfigurationError
from rojak.types.mcp import MCPServerConfig

logger = logging.getLogger(__name__)

_NAME: Final = "bridged"
#: Seconds that a call may take. Callers have shorter limits, and say so themselves.
CALL_TIMEOUT: Final = 3600.0
#: Seconds that the child has to start and to list its tools.
START_TIMEOUT: Final = 60.0


async def run_bridge(command: Sequence[str], *, host: str, port: int, path: str) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        command: the program and its arguments. It gets this process's whole environment.
        host: address to listen at.
        port: to listen at; 0 takes a free one, which is logged.
        path: of the endpoint.

    Raises:
        ConfigurationError: there is no such program, or the port cannot be listened at.
    """
    if shutil.which(command[0]) is None:
        raise ConfigurationError(
            f"the MCP server's program {command[0]!r} is not there, or may not be executed: give a path, or install it"
            " (for a container: in the image)"
        )
    config = MCPServerConfig(
        type="stdio", command=command[0], args=list(command[1:]), env=dict(os.environ), timeout=START_TIMEOUT
    )
    child = MCPServer(_NAME, config)
    server = make_server(child)

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(request: Request) -> Response:
        # A child that is started again is ready once it has listed its tools.
        return PlainTextResponse(f"{child.state}\n", status_code=200 if child.state == "up" else 503)

    app = server.streamable_http_app(
        streamable_http_path=path,
        stateless_http=True,
        host=host,
        custom_starlette_routes=[Route("/healthz", healthz), Route("/readyz", readyz)],
    )
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    child.start()
    try:
        async with server.session_manager.run(), serving(app, host, port) as bound:
            logger.info("the bridge listens at port %d", bound)
            await stop.wait()
    finally:
        await child.close()


def make_server(child: MCPServer) -> Server[Any]:
    """A server whose tools are those of the child."""

    async def list_tools(
        context: ServerRequestContext[Any], params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        await child.settle(START_TIMEOUT)
        await child.refresh()
        return types.ListToolsResult(tools=child.tools or [])

    async def call_tool(
        context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        try:
            return await child.call(params.name, params.arguments or {}, timeout=CALL_TIMEOUT, meta={})
        except MCPServerError as error:
            return types.CallToolResult(content=[types.TextContent(type="text", text=str(error))], is_error=True)

    return Server(_NAME, on_list_tools=list_tools, on_call_tool=call_tool)
