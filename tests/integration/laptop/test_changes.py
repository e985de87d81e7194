"""What happens when files change while `rojak dev` runs."""

from __future__ import annotations

import asyncio
import os
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from rojak import Rojak, TaskParams
from rojak.agents import AgentRef
from tests.integration.laptop.dev_process import DevProcess

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


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def dev(project: Project, temporal_address: str) -> Iterator[DevProcess]:
    with DevProcess("-f", project.folder, "-n", project.namespace, "--address", temporal_address) as dev:
        dev.wait_for(f"ready: rojak chat two --address {temporal_address} -n {project.namespace}")
        yield dev


class Talk:
    """A session with an agent of the project."""

    def __init__(self, client: Client, project: Project, agent: str) -> None:
        self._rojak = Rojak(client, f"{project.namespace}.{agent}")
        self._agent: Any = AgentRef(agent)
        self._id = f"talk-{uuid.uuid4().hex[:8]}"

    async def say(self, text: str = "Hi") -> str:
        task = TaskParams(agent=self._agent, messages=[{"role": "user", "content": text}])
        self._agent = None
        result = (await self._rojak.run(id=self._id, type="persistent", task=task, timeout=60)).result
        return str(result.messages[-1].text)


@pytest.mark.timeout(240)
async def test_a_saved_change_reaches_running_sessions_and_nothing_else_is_restarted(
    project: Project, dev: DevProcess, temporal_client: Client
) -> None:
    talk = Talk(temporal_client, project, "one")
    assert await talk.say() == "First. / hello"
    first, second = dev.worker_pid(project.pool("one")), dev.worker_pid(project.pool("two"))

    project.write("one.yaml", AGENT % {"name": "one", "instructions": "Changed."})
    await asyncio.to_thread(dev.wait_for, f"{project.pool('one')}: worker .* took over from .* serves one")
    assert await talk.say() == "Changed. / hello"
    assert dev.worker_pid(project.pool("one")) != first
    assert dev.worker_pid(project.pool("two")) == second

    # A function that they share: both are replaced.
    project.write("tools.py", TOOLS % "good morning")
    for _ in range(2):
        await asyncio.to_thread(dev.wait_for, "took over from")
    assert await talk.say() == "Changed. / good morning"
    assert dev.worker_pid(project.pool("two")) != second


@pytest.mark.timeout(240)
async def test_what_is_wrong_with_a_change_is_shown_and_what_runs_goes_on(
    project: Project, dev: DevProcess, temporal_client: Client
) -> None:
    talk = Talk(temporal_client, project, "one")
    assert await talk.say() == "First. / hello"
    pid = dev.worker_pid(project.pool("one"))

    project.write("one.yaml", (AGENT % {"name": "one", "instructions": "Changed."}).replace("tools:", "tolls:"))
    dev.wait_for(r"one.yaml:\d+:\d+: Agent/one spec.tolls: .*tools")
    dev.wait_for("the change is not applied; what runs goes on")
    assert await talk.say() == "First. / hello"

    # It only shows when a worker starts: the one before goes on.
    project.write("one.yaml", AGENT % {"name": "one", "instructions": "Changed."})
    dev.wait_for("took over from")
    pid = dev.worker_pid(project.pool("one"))
    project.write("tools.py", "import nothing_of_that_name\n\ndef greet() -> str:\n    return ''\n")
    dev.wait_for(r"nothing_of_that_name")
    dev.wait_for("does not start; the one before goes on")
    assert await talk.say() == "Changed. / hello"
    # Killed now, it comes back as it was when it last worked: its configuration is kept, its files are as they are.
    assert dev.worker_pid(project.pool("one")) == pid

    project.write("tools.py", TOOLS % "mended")
    dev.wait_for("took over from")
    dev.wait_for("took over from")
    assert await talk.say() == "Changed. / mended"


@pytest.mark.timeout(240)
async def test_schedules_are_in_step_with_the_files_and_those_of_others_are_left_alone(
    project: Project, dev: DevProcess, temporal_client: Client
) -> None:
    schedule = temporal_client.get_schedule_handle(f"{project.namespace}.daily")
    assert (await schedule.describe()).info.next_action_times[0].hour == 9
    project.write("schedule.yaml", SCHEDULE.replace("0 9", "30 10"))
    await asyncio.to_thread(dev.wait_for, "daily: updated")
    assert (await schedule.describe()).info.next_action_times[0].minute == 30

    # Killed, it cannot clean up. The next one for the same files does.
    dev.family()
    dev.process.kill()
    dev.process.wait()
    await schedule.describe()
    (project.folder / "schedule.yaml").unlink()
    address = temporal_client.service_client.config.target_host
    with DevProcess("-f", project.folder, "-n", project.namespace, "--address", address) as again:
        again.wait_for("daily: removed")
        with pytest.raises(RPCError, match="not found"):
            await schedule.describe()
        # Of another project with the same names, nothing is touched.
        project.write("schedule.yaml", SCHEDULE)
        again.wait_for("daily: created")
        with DevProcess(
            "-f",
            project.folder / "one.yaml",
            "-f",
            project.folder / "schedule.yaml",
            "-n",
            project.namespace,
            "--address",
            address,
        ) as other:
            other.wait_for("is not of these files")
            assert other.interrupt() == 0
        await schedule.describe()
        assert again.interrupt(signal.SIGTERM) == 0
    with pytest.raises(RPCError, match="not found"):
        await schedule.describe()


@pytest.mark.durability
@pytest.mark.timeout(120)
async def test_children_end_when_rojak_dev_is_killed(dev: DevProcess) -> None:
    family = dev.family()
    assert len(family) >= 2
    os.kill(dev.process.pid, signal.SIGKILL)
    give_up = time.monotonic() + 60
    while dev.family():
        assert time.monotonic() < give_up, dev.family()
        await asyncio.sleep(0.1)
