"""What a model is offered to call: the agent's functions, and whatever else counts as a tool, in OpenAI's form.

`rojak.session.routing` decides from the same data where a call goes; what is offered here has a route there.
"""

from __future__ import annotations

from typing import Any

from rojak.tools.registry import FunctionRegistry
from rojak.types.agent import Agent
from rojak.types.errors import ConfigurationError
from rojak.types.tools import ForeignTool


def offer_tools(agent: Agent, functions: FunctionRegistry) -> list[dict[str, Any]]:
    """The tools of an agent, in the order in which the agent names them.

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
    return schemas
