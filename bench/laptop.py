"""How fast `rojak dev` is: ``python -m bench.laptop``. From its start to the first answer, and from saving to live."""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path

from temporalio.client import Client

from rojak import OrchestratorResponse, Rojak, TaskParams
from rojak.agents import AgentRef

ROUNDS = 5
AGENT = """
apiVersion: rojak.dev/v1alpha1
kind: Agent
metadata: {name: echo}
spec:
  instructions: "%s"
  model: {provider: openai, name: gpt-5-mini, apiKey: {secretKeyRef: {name: openai, key: api-key}}}
  tools: [{function: {name: "tools:say"}}]
"""
TOOLS = "def say() -> str:\n    return '%s'\n"
SCRIPT = """
from rojak.testing import Reply, call

def write_script(model):
    def answer(conversation):
        if conversation.last.role == "tool":
            return Reply(conversation.system + " " + conversation.last.text)
        return Reply(tool_calls=[call("say")])
    model.otherwise().reply(answer)
"""


class Laptop:
    """`rojak dev`, from its start."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, folder: Path) -> Laptop:
        environ = {name: value for name, value in os.environ.items() if "API_KEY" not in name}
        environ.pop("TEMPORAL_ADDRESS", None)
        command = (sys.executable, "-m", "rojak.cli", "dev", "-f", str(folder))
        return cls(await asyncio.create_subprocess_exec(*command, env=environ, stdout=asyncio.subprocess.PIPE))

    async def read_until(self, pattern: str) -> re.Match[str]:
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            async for line in self._process.stdout:
                if found := re.search(pattern, line.decode()):
                    return found
        raise SystemExit(f"rojak dev ended before it said {pattern!r}")

    async def stop(self) -> None:
        self._process.terminate()
        await self._process.communicate()


async def ask(rojak: Rojak) -> str:
    """An answer of the agent, in a session of its own."""
    task = TaskParams(agent=AgentRef("echo"), messages=[{"role": "user", "content": "Hi"}])
    result = (await rojak.run(id=uuid.uuid4().hex, task=task)).result
    assert isinstance(result, OrchestratorResponse)
    return result.messages[-1].text or ""


async def measure() -> None:
    """Print the figures."""
    starts, changes, ends = [], [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "agent.yaml").write_text(AGENT % "0")
            (folder / "tools.py").write_text(TOOLS % "0")
            (folder / "model_script.py").write_text(SCRIPT)
            began = time.monotonic()
            laptop = await Laptop.start(folder)
            try:
                address = (await laptop.read_until(r"Temporal runs at (\S+?),"))[1]
                rojak = Rojak(await Client.connect(address), "default.echo")
                await ask(rojak)
                starts.append(time.monotonic() - began)
                await laptop.read_until("ready:")
                await asyncio.sleep(3)
                for number, (file, text) in enumerate((("agent.yaml", AGENT), ("tools.py", TOOLS)), start=1):
                    saved = time.monotonic()
                    (folder / file).write_text(text % number)
                    await laptop.read_until("took over from")
                    answer = await ask(rojak)
                    assert str(number) in answer, answer
                    changes.append(time.monotonic() - saved)
                    await asyncio.sleep(3)
            finally:
                told = time.monotonic()
                await laptop.stop()
                ends.append(time.monotonic() - told)
    for what, figures in (("start to first answer", starts), ("saved to its answer", changes), ("Ctrl-C to end", ends)):
        print(f"{what:<22} median {statistics.median(figures):.2f} s, worst {max(figures):.2f} s")


if __name__ == "__main__":
    asyncio.run(measure())
