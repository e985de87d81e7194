"""Handing the conversation over as a tool."""

from __future__ import annotations

from typing import Any

from rojak.types.agent import Agent, AnyAgent
from rojak.types.tools import Tool, name_from


class HandOffTool(Tool):
    """Lets a model hand the conversation over: ``HandOffTool(AgentRef("billing"), "Knows all about bills")``.

    A function that returns an agent does so too; this needs no function, and its agent may be known by name alone.

    Attributes:
        agent: who goes on.
        description: tells the model when to hand over.
        name: by which models call it; ``transfer_to_<agent>`` when left out.
    """

    kind: str = "handoff"
    agent: AnyAgent

    def __init__(self, agent: Agent | None = None, description: str | None = None, /, **fields: Any) -> None:
        if agent is not None:
            fields["agent"] = agent
        if description is not None:
            fields["description"] = description
        given = fields.get("agent")
        if "name" not in fields and given is not None:
            name = given.name if isinstance(given, Agent) else str(given.get("name", ""))
            fields["name"] = name_from(f"transfer_to_{name}")
        super().__init__(**fields)
