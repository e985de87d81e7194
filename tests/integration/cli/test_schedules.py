"""`rojak schedules` and `rojak agents`."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleSpec,
)

from rojak import Rojak, TaskParams
from rojak.testing import ModelServer
from rojak.types.agent import AgentRef
from tests.integration.cli.commands import rojak
from tests.integration.hosting.worker_processes import agent, configuration, started

pytestmark = pytest.mark.timeout(120)


async def rows(address: str, *arguments: str) -> list[dict[str, Any]]:
    outcome = await rojak(address, *arguments, "-o", "json")
    assert outcome.code == 0, outcome.stderr
    found: list[dict[str, Any]] = outcome.data
    return found


async def test_a_schedule_is_listed_triggered_paused_resumed_and_deleted(
    served: str, namespace: str, temporal_client: Client
) -> None:
    message: Any = {"role": "user", "content": "say Tick"}
    spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(hours=5))])
    task = TaskParams(agent=AgentRef("triage"), messages=[message])
    await Rojak(temporal_client, f"{namespace}.triage").create_schedule(f"{namespace}.tick", spec, task)
    other = f"{namespace}.other"
    action = ScheduleActionStartWorkflow("Other", id=other, task_queue=other)
    handle = await temporal_client.create_schedule(other, Schedule(action=action, spec=spec))
    listed = ["schedules", "list", "-n", namespace]
    named = ["tick", "-n", namespace]
    try:
        async with asyncio.timeout(60):
            while not (found := await rows(served, *listed)):
                pass
            assert [row["schedule"] for row in found] == [f"{namespace}.tick"]
            assert found[0]["next_runs"]
            assert found[0]["last_run"] is None
            outcome = await rojak(served, "schedules", "trigger", *named)
            assert (outcome.code, outcome.stdout) == (0, f"{namespace}.tick was triggered\n")
            while (last := (await rows(served, *listed))[0]["last_run"]) is None:
                pass
            assert last["session"].startswith(f"{namespace}.tick")
            shown = await rojak(served, "sessions", "show", last["session"])
            assert shown.stdout == "you> say Tick\ntriage> Tick\n", shown
            assert (await rojak(served, "schedules", "pause", *named, "--note", "on leave")).code == 0
            while not (row := (await rows(served, *listed))[0])["paused"]:
                pass
            assert (row["note"], row["next_runs"]) == ("on leave", [])
            table = (await rojak(served, *listed)).stdout.splitlines()
            assert table[0].split() == ["SCHEDULE", "PAUSED", "LAST", "RUN", "NEXT", "RUN", "SESSION", "NOTE"]
            assert table[1].endswith("on leave")
            assert "ago" in table[1]
            assert (await rojak(served, "schedules", "resume", f"{namespace}.tick")).code == 0
            while (await rows(served, *listed))[0]["paused"]:
                pass
        refused = await rojak(served, "schedules", "delete", "other", "-n", namespace)
        assert (refused.code, "runs no agent" in refused.stderr) == (8, True)
        assert (await rojak(served, "schedules", "delete", *named)).code == 0
        gone = await rojak(served, "schedules", "delete", *named)
        assert gone.code == 8
        assert gone.stderr.startswith(f"error: there is no schedule 'tick' in namespace '{namespace}'")
    finally:
        await handle.delete()


async def test_agents_are_listed_by_who_serves_them_and_shown(
    temporal_address: str, namespace: str, model: ModelServer, tmp_path: Path
) -> None:
    billing = {"agentRef": {"name": "billing"}, "description": "Knows about bills"}
    agents = [
        agent("triage", model.base_url, namespace, handoffs=[billing]),
        agent("billing", model.base_url, namespace, session={"onConfigChange": "Pin"}),
    ]
    async with started(tmp_path, configuration(temporal_address, namespace, agents)) as worker:
        await worker.ready()
        async with asyncio.timeout(60):
            while len(found := await rows(temporal_address, "agents", "list", "-n", namespace)) < 2:
                pass
        assert [row["name"] for row in found] == ["billing", "triage"]
        assert found[1]["hands_over_to"] == ["billing"]
        assert len(found[1]["workers"]) == 1
        show = ["agents", "show", "triage", "-n", namespace]
        assert (await rojak(temporal_address, "run", "triage", "say Hi", *show[3:], "--session", namespace)).code == 0
        async with asyncio.timeout(60):
            while (outcome := await rojak(temporal_address, *show, "-o", "json")).data["sessions"] != {"active": 1}:
                pass
        assert outcome.data["model"] == "gpt-5-mini"
        text = (await rojak(temporal_address, *show)).stdout
        assert "sessions:      1 active\n" in text
        assert "hands over to: billing\n" in text
        nobody = await rojak(temporal_address, "agents", "show", "nobody", "-n", namespace)
        assert nobody.code == 8
        assert "`rojak agents list`" in nobody.stderr
