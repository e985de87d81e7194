"""An agent that another agent calls as a tool."""

from __future__ import annotations

import json
from typing import Any

from pydantic import Field

from rojak.types.agent import Agent, AnyAgent
from rojak.types.retry import LONGEST_SECONDS
from rojak.types.tools import Tool, name_from


class AgentTool(Tool):
    """Lets a model give a piece of work to another agent: ``AgentTool(researcher, "Finds facts about a company")``.

    Each call is a session of its own, with a conversation of its own; its last answer is the call's result.

    Attributes:
        agent: who does the work.
        description: tells the model what the agent is good for and what to say to it.
        name: by which models call it; made from the agent's name when left out.
        share_context: whether the agent begins with a copy of the caller's context variables. It begins with none
            otherwise, and what it changes stays with it either way.
        timeout_in_seconds: how long the whole piece of work may take, waiting for humans included; None means as
            long as it takes. Work that takes longer is cancelled, and the call is an error to the model.
    """

    kind: str = "agent"
    agent: AnyAgent
    share_context: bool = False
    timeout_in_seconds: float | None = Field(default=None, gt=0, le=LONGEST_SECONDS)

    def __init__(self, agent: Agent | None = None, description: str | None = None, /, **fields: Any) -> None:
        if agent is not None:
            fields["agent"] = agent
        if description is not None:
            fields["description"] = description
        given = fields.get("agent")
        if "name" not in fields and given is not None:
            fields["name"] = name_from(given.name if isinstance(given, Agent) else str(given.get("name", "")))
        super().__init__(**fields)

    def parameters(self) -> dict[str, Any]:
        """One text: what the agent is told."""
        message = {"type": "string", "description": "What the agent is to do. It knows nothing but this: say all."}
        return {"type": "object", "properties": {"message": message}, "required": ["message"]}

    def read_message(self, arguments: str) -> str:
        """What the agent is told, from the arguments that a model wrote.

        Raises:
            ValueError: they hold no message; the text tells the model what is wrong.
        """
        try:
            parsed = json.loads(arguments)
        except ValueError as error:
            raise ValueError(f"the arguments are no JSON: {error}") from None
        message = parsed.get("message") if isinstance(parsed, dict) else None
        if not isinstance(message, str) or not message.strip():
            raise ValueError('the arguments must be {"message": "<what the agent is to do>"}')
        return message
