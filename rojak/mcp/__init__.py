"""MCP servers: connections that a worker keeps, the tools that they list, and calls of them.

One connection for each server serves all agents and sessions of a process. Importing this needs no MCP SDK;
`rojak.mcp.pool` does.
"""

from rojak.mcp.tool_activity import MCPToolActivity, MCPTools

__all__ = ["MCPToolActivity", "MCPTools"]
