"""What came of a call of a server's tool: its result, or why there is none."""

from __future__ import annotations

import asyncio
import logging

import anyio
from mcp.shared.exceptions import MCPError
from mcp_types import CONNECTION_CLOSED, CallToolResult

from rojak.mcp.errors import MCPServerError
from rojak.mcp.reasons import redact
from rojak.types.mcp import MCPServerConfig

logger = logging.getLogger(__name__)


def read_answer(
    server: str, config: MCPServerConfig, tool: str, calling: asyncio.Task[CallToolResult]
) -> CallToolResult:
    """The result of a call that is over.

    Raises:
        MCPServerError: the server refused, broke the protocol, or was lost.
    """
    try:
        return calling.result()
    except MCPError as error:
        if error.code == CONNECTION_CLOSED:
            raise _lost(server, tool) from None
        reason = redact(error.message, config)
        raise MCPServerError("MCPProtocolError", f"The MCP server {server!r} refused: {reason}") from None
    except (RuntimeError, ValueError) as error:
        # The SDK's word for results that break the tool's own schema, or the protocol. It may quote them.
        logger.warning(
            "MCP server %r answered a call of %r in a way that breaks the protocol or the tool's own output schema",
            server,
            tool,
        )
        message = f"The MCP server {server!r} gave a result of {tool} that cannot be read"
        raise MCPServerError("MCPProtocolError", f"{message} ({redact(str(error), config)}).") from None
    except (OSError, anyio.ClosedResourceError, anyio.BrokenResourceError, asyncio.CancelledError):
        raise _lost(server, tool) from None


def _lost(server: str, tool: str) -> MCPServerError:
    logger.warning("MCP server %r: the connection was lost in a call of %r", server, tool)
    return MCPServerError(
        "MCPConnectionLostError",
        f"The connection to the MCP server {server!r} was lost in the call of {tool}. Whether it was carried out is"
        " not known.",
    )
