"""The client: what an application uses to talk to agents."""

from rojak.client.agents import describe_agent, list_agents
from rojak.client.events import (
    Done,
    Event,
    HandedOff,
    RetrievalFailed,
    Retrieved,
    Started,
    TextDelta,
    ToolCalled,
    ToolResult,
    WaitingForApproval,
)
from rojak.client.facade import Rojak
from rojak.client.responses import RunResponse
from rojak.client.unserved import Unserved

__all__ = [
    "Done",
    "Event",
    "HandedOff",
    "RetrievalFailed",
    "Retrieved",
    "Rojak",
    "RunResponse",
    "Started",
    "TextDelta",
    "ToolCalled",
    "ToolResult",
    "Unserved",
    "WaitingForApproval",
    "describe_agent",
    "list_agents",
]
