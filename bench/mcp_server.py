"""The MCP server of the bench: ``python -m bench.mcp_server``, over its standard streams."""

from __future__ import annotations

import asyncio

from mcp.server import MCPServer

server = MCPServer("bench", log_level="WARNING")


@server.tool(structured_output=False)
async def remote(seconds: float) -> str:
    """Take a while, somewhere else."""
    await asyncio.sleep(seconds)
    return "slept"


if __name__ == "__main__":
    server.run("stdio")
