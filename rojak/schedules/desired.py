"""A Schedule as Temporal knows it: plain data in the form that Temporal's protobuf messages have as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rojak.manifests import Schedule, schedule_id_of, seconds_of, task_queue_of
from rojak.manifests.hashing import hash_of
from rojak.manifests.schedule import Calendar

#: Key of the schedule's memo that says whose it is.
OWNER_MEMO: Final = "rojak-owner"
_WORKFLOW: Final = "OrchestratorWorkflow"
#: Starts no session of its own: gives its task to the one that all runs of the schedule share.
_SCHEDULED_TURN: Final = "ScheduledTurnWorkflow"
#: One run has one task, so that its id need not differ from run to run.
_TASK_ID: Final = "scheduled"
_OVERLAP: Final = {
    "Skip": "SCHEDULE_OVERLAP_POLICY_SKIP",
    "BufferOne": "SCHEDULE_OVERLAP_POLICY_BUFFER_ONE",
    "BufferAll": "SCHEDULE_OVERLAP_POLICY_BUFFER_ALL",
    "CancelOther": "SCHEDULE_OVERLAP_POLICY_CANCEL_OTHER",
    "TerminateOther": "SCHEDULE_OVERLAP_POLICY_TERMINATE_OTHER",
    "AllowAll": "SCHEDULE_OVERLAP_POLICY_ALLOW_ALL",
}


@dataclass(frozen=True)
class DesiredSchedule:
    """What Temporal should have.

    Attributes:
        id: of the schedule.
        spec: when.
        policies: what else.
        action: the workflow that is started; its ``input`` is the argument as plain data.
        owner: whose it is, for the memo.
        paused: whether the manifest says so.
        hash: of all that but the pause.
    """

    id: str
    spec: dict[str, Any]
    policies: dict[str, Any]
    action: dict[str, Any]
    owner: str
    paused: bool
    hash: str


def render_schedule(
    schedule: Schedule,
    *,
    config_maps: Mapping[str, Mapping[str, str]],
    has_attributes: bool,
    cluster: str = "",
) -> DesiredSchedule:
    """The schedule.

    Args:
        config_maps: data of those that it refers to, by name.
        has_attributes: whether the Temporal namespace knows our search attributes.
        cluster: tells this cluster, or this laptop, from others that use the same Temporal namespace.
    """
    spec = schedule.spec
    schedule_id = schedule_id_of(schedule.namespace, schedule.name)
    task: dict[str, Any] = {
        "id": _TASK_ID,
        "messages": _messages(schedule, config_maps),
        "agent": {"type": "ref", "model": "", "name": spec.agent_ref.name},
    }
    if spec.context_variables:
        task["context_variables"] = spec.context_variables
    action: dict[str, Any] = {
        "workflowId": schedule_id,
        "workflowType": {"name": _WORKFLOW},
        "taskQueue": {"name": task_queue_of(schedule.namespace, spec.agent_ref.name)},
        "input": {"task": task},
    }
    attributes = {"RojakStatus": "active", "RojakAgent": spec.agent_ref.name}
    if spec.session == "Continued":
        action["workflowType"] = {"name": _SCHEDULED_TURN}
        # Temporal adds the time to the ids of runs, so that the schedule's own is free for the session.
        action["input"] = {"session_id": schedule_id, "task": task}
        del attributes["RojakStatus"]
    if has_attributes:
        action["searchAttributes"] = attributes
    parts = {"spec": _spec(schedule), "policies": _policies(schedule), "action": action}
    owner = f"{cluster}/{schedule.namespace}/{schedule.name}"
    return DesiredSchedule(
        id=schedule_id,
        owner=owner,
        paused=spec.paused,
        hash=hash_of(parts),
        **parts,
    )


def _messages(schedule: Schedule, config_maps: Mapping[str, Mapping[str, str]]) -> list[dict[str, str]]:
    spec = schedule.spec
    if spec.messages is not None:
        return [{"role": message.role, "content": message.content} for message in spec.messages]
    text = spec.message or ""
    if spec.messages_from is not None:
        reference = spec.messages_from.config_map_key_ref
        text = config_maps.get(reference.name, {}).get(reference.key, "")
    return [{"role": "user", "content": text}]


def _spec(schedule: Schedule) -> dict[str, Any]:
    spec = schedule.spec
    rendered: dict[str, Any] = {"timezoneName": spec.time_zone}
    if spec.cron is not None:
        rendered["cronString"] = [spec.cron]
    if spec.interval is not None:
        interval = {"interval": _duration(spec.interval.every)}
        if spec.interval.offset is not None:
            interval["phase"] = _duration(spec.interval.offset)
        rendered["interval"] = [interval]
    if spec.calendars:
        rendered["calendar"] = [_calendar(calendar) for calendar in spec.calendars]
    if spec.skip:
        rendered["excludeCalendar"] = [_calendar(calendar) for calendar in spec.skip]
    if spec.jitter is not None:
        rendered["jitter"] = _duration(spec.jitter)
    if spec.start_at is not None:
        rendered["startTime"] = spec.start_at
    if spec.end_at is not None:
        rendered["endTime"] = spec.end_at
    return rendered


def _policies(schedule: Schedule) -> dict[str, Any]:
    spec = schedule.spec
    return {
        "overlapPolicy": _OVERLAP[spec.overlap_policy],
        "catchupWindow": _duration(spec.catchup_window),
        "pauseOnFailure": spec.pause_on_failure,
    }


def _calendar(calendar: Calendar) -> dict[str, str]:
    fields = ("second", "minute", "hour", "dayOfMonth", "month", "year", "dayOfWeek")
    wire = calendar.model_dump(by_alias=True)
    rendered = {name: str(wire[name]) for name in fields}
    return rendered | ({"comment": calendar.comment} if calendar.comment else {})


def _duration(text: str) -> str:
    """As protobuf writes durations."""
    seconds = seconds_of(text)
    return f"{int(seconds)}s" if math.isclose(seconds, int(seconds)) else f"{seconds:.9f}s"
