"""The agents that a worker knows by name: their definitions as they are now."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from rojak.session.limits import AGENT_BYTES, size_of
from rojak.types.agent import Agent, AgentRef
from rojak.types.errors import ConfigurationError


class NamedAgents:
    """Definitions by name. A session that names one of them gets it with the reply to its first model call.

    Args:
        agents: what the worker serves by name.
        task_queue: of the worker.

    Raises:
        ConfigurationError: two have one name, or one of them cannot be a definition.
    """

    def __init__(self, agents: Iterable[Agent] = (), task_queue: str | None = None) -> None:
        self._agents: dict[str, Agent] = {}
        for agent in agents:
            if agent.name in self._agents:
                raise ConfigurationError(f"two agents are named {agent.name!r}; names tell agents apart, rename one")
            self._agents[agent.name] = _define(agent, task_queue)

    def __bool__(self) -> bool:
        return bool(self._agents)

    def names(self) -> list[str]:
        """Of all that are known."""
        return sorted(self._agents)

    def find(self, name: str) -> Agent | None:
        """The definition; None when the worker does not know the name."""
        return self._agents.get(name)

    def get(self, name: str) -> Agent:
        """The definition.

        Raises:
            ConfigurationError: the worker does not know the name.
        """
        agent = self.find(name)
        if agent is None:
            known = ", ".join(map(repr, self.names())) or "none"
            raise ConfigurationError(
                f"this worker knows no agent {name!r}; it knows by name: {known}. Add it to"
                " create_worker(agents=[...]), or to the manifests of the worker"
            )
        return agent


def revision_of(agent: Agent) -> str:
    """Digest of a definition: another one when anything in it is."""
    text = agent.model_copy(update={"revision": None}).model_dump_json(exclude_unset=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _define(agent: Agent, task_queue: str | None) -> Agent:
    if isinstance(agent, AgentRef):
        raise ConfigurationError(f"agent {agent.name!r} is only a name; a worker needs what it stands for")
    if (size := size_of(agent)) > AGENT_BYTES:
        raise ConfigurationError(
            f"agent {agent.name!r} has {size} bytes as JSON, and at most {AGENT_BYTES} fit into a session; shorten its"
            " instructions, or let a function make them"
        )
    agent = agent.model_copy(update={"task_queue": task_queue})
    return agent.model_copy(update={"revision": revision_of(agent)})
