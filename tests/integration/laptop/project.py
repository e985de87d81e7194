"""Files of some agents, and what a person does with them."""

from __future__ import annotations

import uuid
from pathlib import Path
from textwrap import dedent
from typing import Any

from temporalio.client import Client

from rojak import Rojak, TaskParams
from rojak.agents import AgentRef

AGENT = """
apiVersion: rojak.dev/v1alpha1
kind: Agent
metadata: {name: %(name)s}
spec:
  instructions: %(instructions)s
  model: {provider: openai, name: gpt-5-mini, apiKey: {secretKeyRef: {name: openai, key: api-key}}}
  tools:
    - function: {name: "tools:greet"}
"""
SCHEDULE = """
apiVersion: rojak.dev/v1alpha1
kind: Schedule
metadata: {name: daily}
spec: {agentRef: {name: one}, message: Hello, cron: "0 9 * * *"}
"""
TOOLS = """
def greet() -> str:
    return "%s"
"""
#: Says what it was told, and what the function returned.
SCRIPT = """
from rojak.testing import Reply, call

def write_script(model):
    def answer(conversation):
        if conversation.last.role == "tool":
            return Reply(conversation.system + " / " + conversation.last.text)
        return Reply(tool_calls=[call("greet")])
    model.otherwise().reply(answer)
"""


class Project:
    """Files of two agents, each with a worker of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.namespace = f"dev-{uuid.uuid4().hex[:8]}"
        self.write("one.yaml", AGENT % {"name": "one", "instructions": "First."})
        self.write("two.yaml", AGENT % {"name": "two", "instructions": "Second."})
        self.write("schedule.yaml", SCHEDULE)
        self.write("tools.py", TOOLS % "hello")
        self.write("model_script.py", SCRIPT)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(dedent(text))

    def pool(self, name: str) -> str:
        return f"{self.namespace}/{name}"


class Talk:
    """A session with an agent of the project."""

    def __init__(self, client: Client, project: Project, agent: str) -> None:
        self._queue = f"{project.namespace}.{agent}"
        self._rojak = Rojak(client, self._queue)
        self._agent: Any = AgentRef(agent)
        self.id = f"talk-{uuid.uuid4().hex[:8]}"

    def through(self, client: Client) -> Talk:
        """The same session, which goes on through another client."""
        self._rojak = Rojak(client, self._queue)
        return self

    async def say(self, text: str = "Hi") -> str:
        task = TaskParams(agent=self._agent, messages=[{"role": "user", "content": text}])
        self._agent = None
        result = (await self._rojak.run(id=self.id, type="persistent", task=task, timeout=60)).result
        return str(result.messages[-1].text)
