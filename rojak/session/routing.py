"""Which tools the active agent offers, and where a call of one goes. The one place that decides it."""

from __future__ import annotations

from rojak.session.limits import OFFERED_TOOLS
from rojak.session.routes import AgentRoute, FunctionRoute, HandOffRoute, MCPRoute, RetrieverRoute, Route
from rojak.session.state import SessionState
from rojak.types.agent import Agent
from rojak.types.agent_tool import AgentTool
from rojak.types.catalog import CatalogTool, ToolCatalog
from rojak.types.handoff import HandOffTool
from rojak.types.retriever import RetrieverTool


def find_route(state: SessionState, agent: Agent, name: str) -> Route | None:
    """Where a call of this name goes; None when the agent offers no such tool."""
    if name in agent.functions:
        return FunctionRoute()
    match agent.find_tool(name):
        case AgentTool():
            return AgentRoute()
        case RetrieverTool():
            return RetrieverRoute()
        case HandOffTool():
            return HandOffRoute()
        case _:
            return _find_mcp_route(state, agent, name)


def offered_names(state: SessionState, agent: Agent) -> list[str]:
    """The names of all tools that the agent offers, for the error that a call of another one gets."""
    own = [*agent.functions, *(tool.name for tool in agent.tools)]
    return [*own, *(tool.name for tool in offered_mcp_tools(state.catalog, agent))]


def offered_mcp_tools(catalog: ToolCatalog | None, agent: Agent) -> list[CatalogTool]:
    """The tools of MCP servers that the agent offers: of its servers, as many as providers take."""
    if catalog is None:
        return []
    own = {*agent.functions, *(tool.name for tool in agent.tools)}
    tools = [
        tool
        for tool in catalog.tools
        if (agent.mcp_servers is None or tool.server in agent.mcp_servers) and tool.name not in own
    ]
    return tools[: max(0, OFFERED_TOOLS - len(own))]


def _find_mcp_route(state: SessionState, agent: Agent, name: str) -> MCPRoute | None:
    for tool in offered_mcp_tools(state.catalog, agent):
        if tool.name == name:
            return MCPRoute(server=tool.server, tool=tool.tool, destructive=tool.destructive)
    return None
