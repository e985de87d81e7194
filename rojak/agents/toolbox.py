"""What a model is offered to call: the agent's functions, and whatever else counts as a tool, in OpenAI's form.

`rojak.session.routing` decides from the same data where a call goes; what is offered here has a route there.
"""

from __future__ import annotations

from typing import Any

from rojak.tools.registry import FunctionRegistry
from rojak.types.agent import Agent


def offer_tools(agent: Agent, functions: FunctionRegistry) -> list[dict[str, Any]]:
    """The tools of an agent, in the order in which the agent names them.

    Raises:
        ConfigurationError: a function is not registered.
    """
    return functions.schemas(agent.functions, agent_name=agent.name)
