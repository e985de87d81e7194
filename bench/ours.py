"""Rojak as a side of a comparison, by its public interface alone."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

from temporalio.client import Client

from bench import tools
from rojak import OrchestratorResponse, Rojak, TaskParams
from rojak.agents import AgentTool, OpenAIAgent, OpenAIAgentActivities, OpenAIAgentOptions

FUNCTIONS = [tools.echo, tools.slow, tools.blocking]

AGENT = OpenAIAgent(
    name="Bench",
    model="gpt-4o",
    instructions=tools.INSTRUCTIONS,
    functions=[function.__name__ for function in FUNCTIONS],
)

LEAD = OpenAIAgent(
    name="Lead",
    model="gpt-4o",
    instructions=tools.INSTRUCTIONS,
    tools=[AgentTool(AGENT, "Does what it is told.", name="clerk")],
)


class OurAsker:
    """Asks Rojak. ``history_size`` is that of its sessions; None is Rojak's default."""

    def __init__(self, client: Client, task_queue: str, *, history_size: float | None = None) -> None:
        self.rojak = Rojak(client, task_queue=task_queue)
        self._history_size = history_size

    async def run(self, id: str, prompt: str) -> str:  # noqa: A002 - as Rojak calls it
        response = await self.rojak.run(id=id, type="stateless", task=_task(prompt))
        return _conversation(response.result)[-1]

    async def lead(self, id: str, prompt: str) -> str:  # noqa: A002 - as Rojak calls it
        """The answer of a run whose agent calls others."""
        response = await self.rojak.run(id=id, type="stateless", task=_task(prompt, LEAD))
        return _conversation(response.result)[-1]

    async def turn(self, session: str, text: str) -> str:
        return (await self.converse(session, text))[-1]

    async def converse(self, session: str, text: str) -> list[str]:
        """A turn of a session; what its whole conversation says."""
        response = await self.rojak.run(
            id=session, type="persistent", task=_task(text), history_size=self._history_size
        )
        return _conversation(response.result)


def make_worker(client: Client, task_queue: str, base_url: str) -> AbstractAsyncContextManager[Any]:
    """A worker of Rojak, to be entered."""
    activities = OpenAIAgentActivities(OpenAIAgentOptions(api_key="bench", base_url=base_url, all_functions=FUNCTIONS))
    return Rojak(client, task_queue=task_queue).create_worker([activities])


def _task(text: str, agent: OpenAIAgent = AGENT) -> TaskParams:
    return TaskParams(agent=agent, messages=[{"role": "user", "content": text}])


def _conversation(result: Any) -> list[str]:
    assert isinstance(result, OrchestratorResponse), result
    return [message.text for message in result.messages]
