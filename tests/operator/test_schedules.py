"""A Schedule is a schedule in Temporal: made, kept true, and deleted with it; a pause made elsewhere stays."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleDescription,
    ScheduleIntervalSpec,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError

from rojak_operator.resources import SCHEDULE
from tests.operator.cluster import PATIENCE, Cluster, OperatorProcess, condition

AGENT: dict[str, Any] = {"instructions": "You help.", "model": {"provider": "openai", "name": "gpt-x"}}
HOURLY: dict[str, Any] = {"agentRef": {"name": "triage"}, "message": "Anything new?", "cron": "0 * * * *"}


async def describe(client: Client, schedule_id: str) -> ScheduleDescription | None:
    try:
        return await client.get_schedule_handle(schedule_id).describe()
    except RPCError as error:
        if error.status.name == "NOT_FOUND":
            return None
        raise


async def until(holds: Callable[[], Awaitable[Any]]) -> Any:
    give_up = time.monotonic() + PATIENCE
    while not (found := await holds()):
        assert time.monotonic() < give_up, "it did not happen"
        await asyncio.sleep(0.1)
    return found


@pytest.fixture
async def scheduled(cluster: Cluster) -> str:
    """Id of a schedule that is in force."""
    await cluster.apply("Agent", "triage", AGENT)
    await cluster.apply("Schedule", "news", HOURLY)
    await cluster.until_condition("Schedule", "news", "Synced", "True")
    return f"{cluster.namespace}.news"


async def test_a_schedule_is_made_and_its_next_runs_are_told(
    cluster: Cluster, scheduled: str, temporal_client: Client
) -> None:
    schedule = await cluster.until_condition("Schedule", "news", "Ready", "True")
    described = await describe(temporal_client, scheduled)
    assert described is not None
    action = described.schedule.action
    assert isinstance(action, ScheduleActionStartWorkflow)
    assert (action.workflow, action.task_queue) == ("OrchestratorWorkflow", f"{cluster.namespace}.triage")
    assert schedule["status"]["scheduleID"] == scheduled
    assert len(schedule["status"]["nextRuns"]) == 5
    assert schedule["status"]["nextRun"] == schedule["status"]["nextRuns"][0]
    assert schedule["metadata"]["finalizers"] == ["rojak.dev/cleanup"]


async def test_it_waits_for_its_agent(cluster: Cluster, temporal_client: Client) -> None:
    await cluster.apply("Schedule", "news", HOURLY)
    schedule = await cluster.until_condition("Schedule", "news", "ResolvedRefs", "False", "AgentNotFound")
    assert "finalizers" not in schedule["metadata"]
    assert await describe(temporal_client, f"{cluster.namespace}.news") is None
    await cluster.apply("Agent", "triage", AGENT)
    await cluster.until_condition("Schedule", "news", "Synced", "True")
    assert await describe(temporal_client, f"{cluster.namespace}.news") is not None


async def test_a_change_reaches_temporal(cluster: Cluster, scheduled: str, temporal_client: Client) -> None:
    await cluster.apply("Schedule", "news", HOURLY | {"overlapPolicy": "BufferOne", "paused": True})
    await cluster.until_condition("Schedule", "news", "Synced", "True")
    described = await describe(temporal_client, scheduled)
    assert described is not None
    assert described.schedule.policy.overlap.name == "BUFFER_ONE"
    assert described.schedule.state.paused
    schedule = await cluster.until("Schedule", "news", lambda obj: obj["status"].get("paused"))
    assert schedule["status"]["pausedBy"] == "Spec"
    await cluster.apply("Schedule", "news", HOURLY | {"paused": False})
    await cluster.until("Schedule", "news", lambda obj: obj["status"].get("paused") is False)


async def test_a_pause_made_in_the_ui_survives_a_change_of_the_rest(
    cluster: Cluster, scheduled: str, temporal_client: Client
) -> None:
    await temporal_client.get_schedule_handle(scheduled).pause(note="enough for today")
    await cluster.until("Schedule", "news", lambda obj: obj["status"].get("pausedBy") == "External")
    await cluster.apply("Schedule", "news", HOURLY | {"cron": "30 * * * *"})
    schedule = await cluster.until_condition("Schedule", "news", "Synced", "True")
    described = await describe(temporal_client, scheduled)
    assert described is not None
    assert (described.schedule.state.paused, described.schedule.state.note) == (True, "enough for today")
    assert described.schedule.spec.calendars[0].minute[0].start == 30
    assert condition(schedule, "Ready")["status"] == "True"


async def test_an_edit_made_elsewhere_is_mended_and_counted(
    cluster: Cluster, scheduled: str, temporal_client: Client, operator: OperatorProcess
) -> None:
    counted = await operator.metric("rojak_operator_drift_total", kind="TemporalSchedule")

    def edit(given: ScheduleUpdateInput) -> ScheduleUpdate:
        given.description.schedule.spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(days=1))])
        return ScheduleUpdate(given.description.schedule)

    await temporal_client.get_schedule_handle(scheduled).update(edit)

    async def mended() -> bool:
        described = await describe(temporal_client, scheduled)
        return described is not None and bool(described.schedule.spec.calendars)

    await until(mended)
    assert await operator.metric("rojak_operator_drift_total", kind="TemporalSchedule") > counted


async def test_one_that_was_deleted_elsewhere_comes_back(
    cluster: Cluster, scheduled: str, temporal_client: Client
) -> None:
    await temporal_client.get_schedule_handle(scheduled).delete()
    await until(lambda: describe(temporal_client, scheduled))


async def test_the_object_takes_the_schedule_with_it(cluster: Cluster, scheduled: str, temporal_client: Client) -> None:
    # The agent goes first, as it does when a folder of manifests is deleted.
    await cluster.delete("Agent", "triage")
    await cluster.delete("Schedule", "news")
    await cluster.until_gone("Schedule", "news")
    assert await describe(temporal_client, scheduled) is None


async def test_an_orphan_stays_and_is_taken_over_again(
    cluster: Cluster, scheduled: str, temporal_client: Client
) -> None:
    await cluster.apply("Schedule", "news", HOURLY | {"deletionPolicy": "Orphan"})
    await cluster.until("Schedule", "news", lambda obj: not obj["metadata"].get("finalizers"))
    await cluster.delete("Schedule", "news")
    await cluster.until_gone("Schedule", "news")
    assert await describe(temporal_client, scheduled) is not None
    await cluster.apply("Schedule", "news", HOURLY)
    await cluster.until_condition("Schedule", "news", "Synced", "True")


async def test_a_schedule_of_somebody_else_is_left_alone(cluster: Cluster, temporal_client: Client) -> None:
    schedule_id = f"{cluster.namespace}.news"
    action = ScheduleActionStartWorkflow("Other", id="other", task_queue="other")
    await temporal_client.create_schedule(schedule_id, Schedule(action=action, spec=ScheduleSpec()))
    await cluster.apply("Agent", "triage", AGENT)
    await cluster.apply("Schedule", "news", HOURLY)
    schedule = await cluster.until_condition("Schedule", "news", "Synced", "False", "ScheduleTaken")
    assert "rename this object" in condition(schedule, "Synced")["message"]
    await cluster.delete("Schedule", "news")
    await cluster.until_gone("Schedule", "news")
    described = await describe(temporal_client, schedule_id)
    assert described is not None
    assert isinstance(described.schedule.action, ScheduleActionStartWorkflow)
    assert described.schedule.action.workflow == "Other"


async def test_a_new_value_of_the_annotation_triggers_one_run(
    cluster: Cluster, scheduled: str, temporal_client: Client
) -> None:
    await annotate(cluster, "rojak.dev/trigger", "1")
    await cluster.until("Schedule", "news", lambda obj: obj["status"].get("lastTrigger") == "1")
    schedule = await cluster.until("Schedule", "news", lambda obj: obj["status"].get("lastRun"))
    assert schedule["status"]["lastRun"]["status"] == "Running"
    await cluster.until("Schedule", "news", lambda obj: obj["status"]["counters"]["runs"] == 1)
    await annotate(cluster, "unrelated", "x")
    described = await describe(temporal_client, scheduled)
    assert described is not None
    assert described.info.num_actions == 1
    for run in described.info.running_actions:
        await temporal_client.get_workflow_handle(run.workflow_id).terminate()  # type: ignore[attr-defined]


async def test_an_annotation_makes_up_for_missed_runs(
    cluster: Cluster, scheduled: str, temporal_client: Client
) -> None:
    await cluster.apply("Schedule", "news", HOURLY | {"overlapPolicy": "AllowAll"})
    await annotate(cluster, "rojak.dev/backfill", "2026-01-01T00:30:00Z/2026-01-01T03:30:00Z")
    await cluster.until("Schedule", "news", lambda obj: obj["status"].get("counters", {}).get("runs") == 3)
    await annotate(cluster, "rojak.dev/backfill", "yesterday")
    schedule = await cluster.until_condition("Schedule", "news", "Synced", "False", "InvalidAnnotation")
    assert "<from>/<to>" in condition(schedule, "Synced")["message"]
    async for run in temporal_client.list_workflows(f'TemporalScheduledById = "{scheduled}"'):
        await temporal_client.get_workflow_handle(run.id).terminate()


async def annotate(cluster: Cluster, name: str, value: str) -> None:
    schedule = await cluster.get("Schedule", "news")
    assert schedule is not None
    annotations = {**(schedule["metadata"].get("annotations") or {}), name: value}
    patch = [{"op": "add", "path": "/metadata/annotations", "value": annotations}]
    await cluster.kube.json_patch(SCHEDULE, cluster.namespace, "news", patch)
