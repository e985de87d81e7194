"""Which tools the active agent offers, and where a call of one goes. The one place that decides it."""

from __future__ import annotations

from rojak.session.routes import AgentRoute, FunctionRoute, HandOffRoute, RetrieverRoute, Route
from rojak.session.state import SessionState
from rojak.types.agent import Agent
from rojak.types.agent_tool import AgentTool
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
            return None


def offered_names(state: SessionState, agent: Agent) -> list[str]:
    """The names of all tools that the agent offers, for the error that a call of another one gets."""
    return [*agent.functions, *(tool.name for tool in agent.tools)]
