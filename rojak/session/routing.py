"""Which tools the active agent offers, and where a call of one goes. The one place that decides it."""

from __future__ import annotations

from rojak.session.routes import FunctionRoute, Route
from rojak.session.state import SessionState
from rojak.types.agent import Agent


def find_route(state: SessionState, agent: Agent, name: str) -> Route | None:
    """Where a call of this name goes; None when the agent offers no such tool."""
    return FunctionRoute() if name in agent.functions else None


def offered_names(state: SessionState, agent: Agent) -> list[str]:
    """The names of all tools that the agent offers, for the error that a call of another one gets."""
    return list(agent.functions)
