"""A real MCP server for tests: ``python -m tests.integration.mcp.server_program stdio``, or ``sse PORT``, or
``streamable-http PORT``; with a certificate and its key, ``https PORT CERT KEY``. Each call that is to be seen from
outside adds a line to the file in MCP_TEST_LEDGER; ``counted PORT`` adds one for each message over streamable HTTP.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server.mcpserver import Context
from mcp_types import AudioContent, EmbeddedResource, ImageContent, ResourceLink, TextContent, TextResourceContents
from mcp_types import ToolAnnotations as Hints
from pydantic import BaseModel

from mcp.server import MCPServer

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

server = MCPServer("test server", log_level="WARNING")


def note(line: str) -> None:
    """Add a line to the ledger."""
    if path := os.environ.get("MCP_TEST_LEDGER"):
        with Path(path).open("a") as ledger:
            ledger.write(line + "\n")


class Weather(BaseModel):
    """A structured answer."""

    city: str
    degrees: int


@server.tool(annotations=Hints(read_only_hint=True))
def get_weather(city: str, unit: str = "celsius") -> str:
    """The weather in a city."""
    return f"22 degrees {unit} in {city}"


@server.tool()
def measure(city: str) -> Weather:
    """The weather as data."""
    return Weather(city=city, degrees=22)


@server.tool(annotations=Hints(destructive_hint=False))
async def wait(seconds: float = 60, word: str = "waited") -> str:
    """Takes its time."""
    note(f"{os.getpid()} wait {word}")
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        note(f"{os.getpid()} cancelled {word}")
        raise
    note(f"{os.getpid()} done {word}")
    return word


@server.tool()
def delete_everything() -> str:
    """Destroys."""
    note(f"{os.getpid()} deleted")
    return "deleted"


@server.tool()
def break_down() -> str:
    """Fails."""
    raise ValueError("the cable is cut")


@server.tool()
def exit_now() -> str:
    """Exits in the middle of the call."""
    os._exit(3)


@server.tool()
def large(megabytes: float = 5.0) -> str:
    """Says very much."""
    return "x" * int(megabytes * 1024 * 1024)


@server.tool()
def pid() -> str:
    """The process that serves the call."""
    return str(os.getpid())


@server.tool()
def environment(name: str) -> str:
    """An environment variable."""
    return os.environ.get(name, "not set")


@server.tool()
def spawn() -> str:
    """Starts a child that outlives its parent if nobody ends it."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    return str(child.pid)


@server.tool()
def key(ctx: Context) -> str:
    """The idempotency key of the call."""
    meta: Any = ctx.request_context.meta or {}
    return str(meta.get("rojak.dev/idempotency-key"))


@server.tool(structured_output=False)
def show() -> list[Any]:
    """Answers with more than text."""
    return [
        TextContent(text="Look:"),
        ImageContent(data=PIXEL, mime_type="image/png"),
        AudioContent(data="AAAA", mime_type="audio/wav"),
        ResourceLink(name="notes", uri="file:///notes.txt", mime_type="text/plain"),
        EmbeddedResource(resource=TextResourceContents(uri="file:///today.txt", text="sunny")),
    ]


@server.tool()
async def grow(ctx: Context) -> str:
    """Adds a tool and says so."""

    def grown() -> str:
        """New."""
        return "I am new"

    server.add_tool(grown)
    await ctx.notify_tools_changed()
    await ctx.session.send_tool_list_changed()
    return "grown"


def counted(app: Any) -> Any:
    """The application, noting what it is asked over HTTP."""

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        async def receive_and_note() -> Any:
            event = await receive()
            if body := event.get("body"):
                note(f"http {json.loads(body).get('method')}")
            return event

        await app(scope, receive_and_note if scope["type"] == "http" else receive, send)

    return noting


if __name__ == "__main__":
    if tools := os.environ.get("MCP_TEST_TOOLS"):
        for name in [tool.name for tool in server._tool_manager.list_tools()]:
            if name not in tools.split(","):
                server.remove_tool(name)
    match sys.argv[1:]:
        case ["stdio"]:
            server.run("stdio")
        case ["sse", port]:
            server.run("sse", port=int(port))
        case ["streamable-http", port]:
            server.run("streamable-http", port=int(port))
        case ["counted", port]:
            uvicorn.run(counted(server.streamable_http_app()), port=int(port), log_level="warning")
        case ["https", port, cert, key_file]:
            uvicorn.run(
                server.streamable_http_app(),
                port=int(port),
                ssl_certfile=cert,
                ssl_keyfile=key_file,
                log_level="warning",
            )
