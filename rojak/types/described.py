"""What a worker says of an agent that it knows by name."""

from __future__ import annotations

from pydantic import BaseModel

#: Name of the activity that answers; it is run by itself, without a workflow.
DESCRIBE_AGENTS = "rojak.describe_agents"


class AgentDescription(BaseModel):
    """An agent as its worker has it now.

    Attributes:
        name: by which sessions name it.
        task_queue: where its calls are made.
        type: of the provider's protocol.
        model: the provider's name of the model.
        revision: of the definition; another one when anything in it is.
        pinned: whether sessions keep the definition that they began with.
        tools: names of what the model may call, those of MCP servers included as far as they are known.
        hands_over_to: names of the agents that it may hand over to.
        workers: identities of the processes that serve it, where Temporal tells.
    """

    name: str
    task_queue: str
    type: str
    model: str
    revision: str
    pinned: bool = False
    tools: list[str] = []
    hands_over_to: list[str] = []
    workers: list[str] = []
