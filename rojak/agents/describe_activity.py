"""The activity that says which agents a worker knows by name."""

from __future__ import annotations

from temporalio import activity

from rojak.agents.catalogs import CatalogSource
from rojak.agents.named import NamedAgents
from rojak.types.agent import Agent
from rojak.types.catalog import ToolCatalog
from rojak.types.described import DESCRIBE_AGENTS, AgentDescription
from rojak.types.handoff import HandOffTool


class DescribeActivity:
    """Describes the agents of one worker."""

    def __init__(self, named: NamedAgents, mcp_tools: CatalogSource | None = None) -> None:
        self._named = named
        self._mcp_tools = mcp_tools

    @activity.defn(name=DESCRIBE_AGENTS)
    async def describe_agents(self) -> list[AgentDescription]:
        """All of them, by name."""
        catalog = None if self._mcp_tools is None else await self._mcp_tools.list_tools(_nothing_known)
        return [_describe(self._named.get(name), catalog) for name in self._named.names()]


async def _nothing_known() -> ToolCatalog | None:
    return None


def _describe(agent: Agent, catalog: ToolCatalog | None) -> AgentDescription:
    of_servers = [
        tool.name
        for tool in (catalog.tools if catalog else [])
        if agent.mcp_servers is None or tool.server in agent.mcp_servers
    ]
    return AgentDescription(
        name=agent.name,
        task_queue=activity.info().task_queue,
        type=agent.type,
        model=agent.model,
        revision=agent.revision or "",
        pinned=agent.pinned,
        tools=[*agent.functions, *(tool.name for tool in agent.tools), *of_servers],
        hands_over_to=[tool.agent.name for tool in agent.tools if isinstance(tool, HandOffTool)],
    )
