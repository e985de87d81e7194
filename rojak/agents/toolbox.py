"""What a model is offered to call: the agent's functions and the tools of MCP servers, in OpenAI's form.

`rojak.session.routing` decides from the same data where a call goes; what is offered here has a route there.
"""

from __future__ import annotations

from typing import Any

from rojak.session.routing import offered_mcp_tools
from rojak.tools.registry import FunctionRegistry
from rojak.types.agent import Agent
from rojak.types.catalog import CatalogTool, ToolCatalog
from rojak.types.errors import ConfigurationError
from rojak.types.tools import ForeignTool


def offer_tools(agent: Agent, functions: FunctionRegistry, catalog: ToolCatalog | None = None) -> list[dict[str, Any]]:
    """The tools of an agent: its functions in the order in which it names them, then those of the catalog.

    Raises:
        ConfigurationError: a function is not registered, or a tool is of a kind that this version does not know.
    """
    schemas = functions.schemas(agent.functions, agent_name=agent.name)
    for tool in agent.tools:
        if isinstance(tool, ForeignTool):
            raise ConfigurationError(
                f"agent {agent.name!r} has the tool {tool.name!r} of the kind {tool.kind!r}, which this worker does"
                " not know; update Rojak on the workers"
            )
        schemas.append(tool.schema_for_models())
    return [*schemas, *(_describe(tool) for tool in offered_mcp_tools(catalog, agent))]


def _describe(tool: CatalogTool) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.input_schema}
    return {"type": "function", "function": function}
