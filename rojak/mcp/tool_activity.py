"""The activity that calls a tool of an MCP server."""

from __future__ import annotations

import logging
from typing import Protocol

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from rojak.mcp.errors import MCPServerError
from rojak.telemetry.calls import measuring_tool_call
from rojak.telemetry.spans import tool_span
from rojak.tools.heartbeat import heartbeating
from rojak.types.activities import CALL_MCP_TOOL, MCPToolRequest, ToolFailed, ToolOutcome, ToolReturned

logger = logging.getLogger(__name__)


class MCPTools(Protocol):
    """Makes calls; `rojak.mcp.pool.MCPPool` does."""

    async def call(self, request: MCPToolRequest, idempotency_key: str) -> ToolReturned | ToolFailed:
        """Make a call.

        Raises:
            MCPServerError: the server is down, was lost, or did not answer in time.
        """
        ...


class MCPToolActivity:
    """Calls tools through the worker's connections.

    Args:
        tools: None for a worker without MCP servers.
    """

    def __init__(self, tools: MCPTools | None) -> None:
        self._tools = tools

    @activity.defn(name=CALL_MCP_TOOL)
    async def call_mcp_tool(self, request: MCPToolRequest) -> ToolOutcome:
        """Make the call. What goes wrong in it is an outcome, unless the user's retry policy is to see it."""
        if self._tools is None:
            logger.warning("a call of MCP server %r came to a worker that has no MCP servers", request.server)
            return ToolFailed(
                error_type="ConfigurationError", message=f"There is no MCP server {request.server!r} any more."
            )
        info = activity.info()
        key = f"{info.workflow_id}/{request.turn}/{request.call_id}"
        try:
            # A call that comes here was offered, so its name is one of the tools that there are.
            async with heartbeating():
                with measuring_tool_call(request.agent_name, request.name):
                    return await _traced(self._tools, request, key)
        except MCPServerError as error:
            if request.raise_errors:
                raise ApplicationError(
                    str(error), type=error.error_type, category=ApplicationErrorCategory.BENIGN
                ) from None
            return ToolFailed(error_type=error.error_type, message=str(error))


async def _traced(tools: MCPTools, request: MCPToolRequest, key: str) -> ToolReturned | ToolFailed:
    span_of_call = tool_span(
        tool=request.name,
        kind="extension",
        agent=request.agent_name,
        session_id=activity.info().workflow_id or "",
        call_id=request.call_id,
        arguments=request.arguments,
        mcp_server=request.server,
    )
    with span_of_call as span:
        try:
            outcome = await tools.call(request, key)
        except MCPServerError as error:
            span.fail(error.error_type)
            raise
        if isinstance(outcome, ToolFailed):
            span.fail(outcome.error_type)
        elif span.captures:
            span.set(gen_ai__tool__call__result=outcome.output)
        return outcome
