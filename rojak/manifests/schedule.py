"""Schedule: when an agent runs by itself."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from rojak.manifests.base import Model
from rojak.manifests.resource import API_VERSION, MESSAGE_COLUMN, Column, Listing, Resource, Status, condition_column
from rojak.manifests.rules import Rule, at_least_one, exactly_one, is_given
from rojak.manifests.values import (
    AgentRef,
    AnyObject,
    ConfigMapKeyRef,
    Duration,
    Time,
    int_or_string,
    seconds_of,
    time_of,
)

#: Characters of one message.
MESSAGE_LENGTH = 60_000

#: One field of a calendar: ``9``, ``9-17``, ``1,15``, ``*/5``, ``MON-FRI``.
CalendarField = Annotated[
    int | str,
    *int_or_string(r"^[*0-9A-Za-z][-*/,0-9A-Za-z]*$", "must be as in cron: 9, 9-17, 1,15, */5, MON-FRI"),
]


class Calendar(Model):
    """Times that match all of its fields; each is written as in cron.

    Attributes:
        second: 0-59.
        minute: 0-59.
        hour: 0-23.
        day_of_month: 1-31.
        month: 1-12, or JAN-DEC.
        year: for instance 2026.
        day_of_week: 0-6, where 0 is Sunday, or SUN-SAT.
        comment: why.
    """

    second: CalendarField = 0
    minute: CalendarField = 0
    hour: CalendarField = 0
    day_of_month: CalendarField = "*"
    month: CalendarField = "*"
    year: CalendarField = "*"
    day_of_week: CalendarField = "*"
    comment: Annotated[str, Field(max_length=200)] | None = None


class Interval(Model):
    """Every so often.

    Attributes:
        every: how often.
        offset: by how much later than the multiples of the interval since 1970; for instance ``every: 24h``,
            ``offset: 6h`` is at six in the morning, UTC.
    """

    rules = (
        Rule(
            cel="!has(self.offset) || duration(self.offset) < duration(self.every)",
            holds=lambda data: not is_given(data, "offset") or seconds_of(data["offset"]) < seconds_of(data["every"]),
            message="offset has to be shorter than every",
            at="offset",
        ),
        Rule(
            cel="duration(self.every) >= duration('1s')",
            holds=lambda data: seconds_of(data["every"]) >= 1,
            message="an interval has to be a second or longer",
            at="every",
        ),
    )

    every: Duration
    offset: Duration | None = None


class ScheduledMessage(Model):
    """A message that a run begins with.

    Attributes:
        role: who says it.
        content: what is said.
    """

    role: Literal["user", "assistant", "system", "developer"] = "user"
    content: Annotated[str, Field(min_length=1, max_length=MESSAGE_LENGTH)]


class MessagesSource(Model):
    """Where the message is.

    Attributes:
        config_map_key_ref: the key of a ConfigMap that holds it, as text.
    """

    config_map_key_ref: ConfigMapKeyRef


class HistoryLimits(Model):
    """How many finished runs the status shows.

    Attributes:
        successful: of those that succeeded.
        failed: of those that did not.
    """

    successful: Annotated[int, Field(ge=0, le=10)] = 3
    failed: Annotated[int, Field(ge=0, le=10)] = 3


class ScheduleSpec(Model):
    """When which agent does what.

    Attributes:
        agent_ref: the Agent that runs.
        message: what the user says.
        messages: several messages instead.
        messages_from: where the message is, instead.
        context_variables: what the run begins with, over those of the Agent.
        cron: when, as in crontab: five fields, or ``@daily`` and the like; interval and calendars come on top of it.
        interval: every so often.
        calendars: at these times.
        skip: not at these times.
        time_zone: for cron, calendars and skip, as ``Europe/Berlin``.
        jitter: each run starts up to so much later, by chance.
        start_at: not before.
        end_at: not after.
        overlap_policy: what happens when the run before is not done yet.
        catchup_window: how late a run may start that was missed because Temporal was down.
        pause_on_failure: whether the schedule pauses after a run that failed.
        paused: whether it pauses. A pause made elsewhere stays until this changes.
        session: ``New``: each run begins anew. ``Continued``: all runs are one conversation.
        history_limits: how many finished runs the status shows.
        deletion_policy: whether Temporal's schedule goes when this object goes.
    """

    rules = (
        exactly_one("message", "messages", "messagesFrom"),
        at_least_one(
            "cron", "interval", "calendars", message="say when: give at least one of cron, interval and calendars"
        ),
        Rule(
            cel="!has(self.startAt) || !has(self.endAt) || timestamp(self.startAt) < timestamp(self.endAt)",
            holds=lambda data: (
                not (is_given(data, "startAt") and is_given(data, "endAt"))
                or time_of(data["startAt"]) < time_of(data["endAt"])
            ),
            message="endAt is not after startAt, so that it would never run; swap them",
            at="endAt",
        ),
    )

    agent_ref: AgentRef
    message: Annotated[str, Field(min_length=1, max_length=MESSAGE_LENGTH)] | None = None
    messages: Annotated[list[ScheduledMessage], Field(min_length=1, max_length=100)] | None = None
    messages_from: MessagesSource | None = None
    context_variables: AnyObject = Field(default={})
    cron: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    interval: Interval | None = None
    calendars: Annotated[list[Calendar], Field(min_length=1, max_length=32)] | None = None
    skip: Annotated[list[Calendar], Field(max_length=32)] = Field(default=[])
    time_zone: Annotated[str, Field(min_length=1, max_length=64)] = "UTC"
    jitter: Duration | None = None
    start_at: Time | None = None
    end_at: Time | None = None
    overlap_policy: Literal["Skip", "BufferOne", "BufferAll", "CancelOther", "TerminateOther", "AllowAll"] = "Skip"
    catchup_window: Duration = "1h"
    pause_on_failure: bool = False
    paused: bool = False
    session: Literal["New", "Continued"] = "New"
    history_limits: HistoryLimits = HistoryLimits()
    deletion_policy: Literal["Delete", "Orphan"] = "Delete"


class ScheduledRun(Model):
    """A run that the schedule started.

    Attributes:
        workflow_id: of the run.
        run_id: of the run.
        start_time: when it started.
        end_time: when it ended.
        status: Running, Completed, Failed, Canceled, Terminated, TimedOut or ContinuedAsNew.
        message: what went wrong.
    """

    workflow_id: str
    run_id: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    status: str | None = None
    message: Annotated[str, Field(max_length=1024)] | None = None


class ScheduleCounters(Model):
    """What happened so far.

    Attributes:
        runs: that were started.
        missed: that were too late for the catch-up window.
        skipped: because the run before was not done.
    """

    runs: int = 0
    missed: int = 0
    skipped: int = 0


class ScheduleStatus(Status):
    """State of a Schedule.

    Attributes:
        schedule_id: of Temporal's schedule.
        desired_hash: of what the schedule should be.
        applied_hash: of what Temporal made of it.
        applied_paused: the pause that was last applied, so that one made elsewhere is told from ours.
        paused: whether it pauses.
        paused_by: whose pause it is: Spec, External or Failure.
        last_run: the latest run.
        recent_runs: those that finished, the latest first.
        running: ids of the runs that are not done.
        next_run: when the next one starts.
        next_runs: when the next ones start.
        counters: what happened so far.
        last_trigger: the value of the annotation that last triggered a run.
        last_backfill: the value of the annotation that last made up for runs.
    """

    schedule_id: str | None = None
    desired_hash: str | None = None
    applied_hash: str | None = None
    applied_paused: bool | None = None
    paused: bool | None = None
    paused_by: str | None = None
    last_run: ScheduledRun | None = None
    recent_runs: Annotated[list[ScheduledRun], Field(max_length=20)] | None = None
    running: Annotated[list[str], Field(max_length=20)] | None = None
    next_run: str | None = None
    next_runs: Annotated[list[str], Field(max_length=5)] | None = None
    counters: ScheduleCounters | None = None
    last_trigger: str | None = None
    last_backfill: str | None = None


class Schedule(Resource):
    """When an agent runs by itself.

    Attributes:
        api_version: of the schema.
        kind: of the object.
        metadata: name, namespace, labels, annotations.
        spec: when which agent does what.
        status: what the operator found.
    """

    listing: ClassVar[Listing] = Listing(
        plural="schedules",
        short_names=("rsched",),
        columns=(
            Column("Agent", ".spec.agentRef.name"),
            Column("Cron", ".spec.cron"),
            Column("Every", ".spec.interval.every"),
            Column("Paused", ".status.paused", "boolean"),
            Column("Last", ".status.lastRun.startTime", "date"),
            Column("Status", ".status.lastRun.status"),
            Column("Next", ".status.nextRun"),
            condition_column("Synced", wide=True),
            condition_column("Ready"),
            MESSAGE_COLUMN,
        ),
        selectable=(".spec.agentRef.name",),
    )

    api_version: Literal["rojak.dev/v1alpha1"] = API_VERSION
    kind: Literal["Schedule"] = "Schedule"
    spec: ScheduleSpec
    status: ScheduleStatus | None = None
