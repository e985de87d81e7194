"""What happens when files change while `rojak dev` runs."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from tests.integration.laptop.dev_process import DevProcess
from tests.integration.laptop.project import AGENT, SCHEDULE, TOOLS, Project, Talk


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
