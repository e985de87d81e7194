"""An MCP server over streamable HTTP, as a process of its own: ``python -m tests.operator.mcp_program PORT``.

With two more arguments, files of a certificate and of its key, it is HTTPS.
"""

from __future__ import annotations

import sys

import uvicorn
from mcp_types import ToolAnnotations

from mcp.server import MCPServer

server = MCPServer("weather")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def forecast(city: str) -> str:
    """Tells the weather."""
    return f"Sun in {city}"


@server.tool(annotations=ToolAnnotations(destructive_hint=True))
def reset() -> str:
    """Forgets everything."""
    return "done"


if __name__ == "__main__":
    cert, key = sys.argv[2:] or (None, None)
    uvicorn.run(
        server.streamable_http_app(host="127.0.0.1"),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        ssl_certfile=cert,
        ssl_keyfile=key,
        log_level="warning",
    )
