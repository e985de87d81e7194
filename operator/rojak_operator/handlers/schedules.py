"""Schedules: what Temporal has is made what the manifest says, and told in the status."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from temporalio.api.workflowservice.v1 import DescribeScheduleResponse

from rojak.manifests import Agent, Schedule, WorkerPool, time_of
from rojak.manifests.hashing import hash_of
from rojak.manifests.worker import TemporalConnection
from rojak.schedules import DesiredSchedule, applied_hash, owner_of, render_schedule
from rojak_operator.desired.conditions import Finding, accepted, not_accepted, ready_unless, resolved_refs
from rojak_operator.desired.connections import connection_of, operator_connection
from rojak_operator.desired.names import (
    BACKFILL,
    CONNECTION,
    FINALIZER,
    TRIGGER,
)
from rojak_operator.desired.reasons import ConditionType, Reason
from rojak_operator.desired.references import find_missing, references_of
from rojak_operator.desired.schedule_status import schedule_status
from rojak_operator.handlers.context import Context, InvalidManifestError, parse
from rojak_operator.handlers.logins import make_login
from rojak_operator.kube import ConflictError, NotFoundError
from rojak_operator.resources import SCHEDULE, Key
from rojak_operator.temporal import Connection, TemporalError
from rojak_operator.workqueue import Done, RetryLater

logger = logging.getLogger(__name__)

#: Seconds until the next look while a run is in progress, and at the earliest after a run.
_WHILE_RUNNING = 15.0
_AFTER_A_RUN = 3.0
_SOONEST = 5.0
#: Seconds between tries to delete from a Temporal that does not answer.
_DELETION_RETRY = 10.0


@dataclass(frozen=True)
class _Synced:
    """What came of making Temporal as it should be."""

    finding: Finding
    status: dict[str, Any]
    requeue_after: float


async def reconcile_schedule(context: Context, key: Key) -> Done:
    """Make Temporal's schedule as the manifest says."""
    obj = context.store.read(key)
    if obj is None:
        context.reporter.forget(key)
        return Done()
    if obj["metadata"].get("deletionTimestamp"):
        return await _delete(context, key, obj)
    old: Mapping[str, Any] = obj.get("status") or {}
    try:
        schedule = parse(Schedule, obj)
    except InvalidManifestError as error:
        return await _report(context, obj, [not_accepted(str(error))], _kept(old), context.resync())
    existing = context.existing(schedule.namespace)
    references = references_of(obj["spec"])
    missing = find_missing(references, existing)
    findings = [accepted(), resolved_refs(missing)]
    if missing:
        return await _report(context, obj, findings, _kept(old), context.resync())
    connection = _find_connection(context, schedule)
    if connection is None:
        message = f"Agent {schedule.spec.agent_ref.name!r} is not valid, so that its Temporal is not known"
        findings.append(Finding(ConditionType.SYNCED, False, Reason.AGENT_NOT_FOUND, message))
        return await _report(context, obj, findings, _kept(old), context.resync())
    obj = await _mark(context, key, obj, schedule, connection)
    maps = await context.config_maps(schedule.namespace, references)
    try:
        synced = await _sync(context, obj, schedule, connection, maps)
    except TemporalError as error:
        reason = Reason.TEMPORAL_UNREACHABLE if error.is_passing else Reason.TEMPORAL_REFUSED
        if error.code == "INVALID_ARGUMENT":
            reason = Reason.INVALID_SCHEDULE
        findings.append(Finding(ConditionType.SYNCED, False, reason, str(error)))
        await _report(context, obj, findings, _kept(old), 0)
        if error.is_passing:
            raise RetryLater(str(error)) from None
        return Done(context.resync())
    return await _report(context, obj, [*findings, synced.finding], synced.status, synced.requeue_after)


async def _sync(
    context: Context,
    obj: Mapping[str, Any],
    schedule: Schedule,
    connection: TemporalConnection,
    maps: Mapping[str, Mapping[str, str]],
) -> _Synced:
    old: Mapping[str, Any] = obj.get("status") or {}
    temporal = await context.temporal.get(await make_login(context, schedule.namespace, connection))
    desired = render_schedule(
        schedule,
        config_maps=maps,
        has_attributes=await temporal.has_attributes(),
        cluster=context.settings.cluster,
    )
    described = await _converge(context, temporal, desired, obj, old)
    if described is None:
        message = (
            f"Temporal has a schedule {desired.id!r} that is not of this object; delete it there"
            f" (temporal schedule delete -s {desired.id}), or rename this object"
        )
        finding = Finding(ConditionType.SYNCED, False, Reason.SCHEDULE_TAKEN, message)
        return _Synced(finding, _kept(old), context.resync())
    asked, finding = await _obey_annotations(temporal, desired, obj, old)
    has_asked = any(old.get(name) != value for name, value in asked.items())
    if has_asked:
        described = await _described(temporal, desired.id)
    runs = await temporal.runs(desired.id) if described.info.action_count else []
    status = schedule_status(schedule, described, runs)
    status |= {
        "scheduleID": desired.id,
        "desiredHash": desired.hash,
        "appliedHash": applied_hash(described),
        "appliedPaused": desired.paused,
        **asked,
    }
    # What was just asked for will show soon.
    return _Synced(finding, status, _AFTER_A_RUN if has_asked else _next_look(context, status))


async def _converge(
    context: Context,
    temporal: Connection,
    desired: DesiredSchedule,
    obj: Mapping[str, Any],
    old: Mapping[str, Any],
) -> DescribeScheduleResponse | None:
    """Create or update; the schedule as it is then, or None if it is somebody else's."""
    described = None
    if old.get("appliedHash"):
        described = await temporal.describe(desired.id)
        if described is None:
            logger.warning("schedule %s was deleted by somebody else and is made anew", desired.id)
            context.metrics.drifted("TemporalSchedule")
    if described is None:
        # Created twice with one request id is created once; the time keeps a later creation from being taken for it.
        request_id = hash_of([obj["metadata"]["uid"], desired.hash, datetime.now(UTC).isoformat()], 32)
        is_new = await temporal.create(desired, request_id=request_id)
        described = await _described(temporal, desired.id)
        if is_new:
            return described
    if owner_of(described) != desired.owner:
        return None
    pause = desired.paused if old.get("appliedPaused") not in (None, desired.paused) else None
    is_ours = old.get("desiredHash") == desired.hash and pause is None
    if is_ours and old.get("appliedHash") == applied_hash(described):
        return described
    if is_ours:
        logger.warning("schedule %s was changed by somebody else and is mended", desired.id)
        context.metrics.drifted("TemporalSchedule")
    await temporal.update(desired, described, paused=pause)
    return await _described(temporal, desired.id)


async def _described(temporal: Connection, schedule_id: str) -> DescribeScheduleResponse:
    described = await temporal.describe(schedule_id)
    if described is None:
        raise RetryLater("the schedule is gone again")
    return described


async def _obey_annotations(
    temporal: Connection, desired: DesiredSchedule, obj: Mapping[str, Any], old: Mapping[str, Any]
) -> tuple[dict[str, Any], Finding]:
    """Trigger and backfill where an annotation has a value that was not obeyed yet.

    Each is asked for with an id made from the value: if we are killed before the status says that it was obeyed, it is
    asked for again, and Temporal does it once.
    """
    annotations = obj["metadata"].get("annotations") or {}
    uid = obj["metadata"]["uid"]
    done = {"lastTrigger": old.get("lastTrigger"), "lastBackfill": old.get("lastBackfill")}
    finding = Finding(
        ConditionType.SYNCED, True, Reason.SYNCED, f"Temporal has the schedule {desired.id!r} as it should be"
    )
    trigger, backfill = annotations.get(TRIGGER), annotations.get(BACKFILL)
    if trigger and trigger != done["lastTrigger"]:
        await temporal.trigger(desired.id, request_id=hash_of([uid, "trigger", trigger], 32))
        done["lastTrigger"] = trigger
    if backfill and backfill != done["lastBackfill"]:
        try:
            start, end = (time_of(text.strip()) for text in backfill.split("/"))
            if start.tzinfo is None or end.tzinfo is None or start >= end:
                raise ValueError(backfill)
        except ValueError:
            message = (
                f"annotation {BACKFILL} has to be <from>/<to>, two times with their zone of which the first is earlier,"
                " such as 2026-12-24T00:00:00Z/2026-12-25T00:00:00Z"
            )
            finding = Finding(ConditionType.SYNCED, False, Reason.INVALID_ANNOTATION, message)
        else:
            await temporal.backfill(desired.id, start, end, request_id=hash_of([uid, "backfill", backfill], 32))
            done["lastBackfill"] = backfill
    return done, finding


async def _delete(context: Context, key: Key, obj: dict[str, Any]) -> Done:
    """Delete from Temporal, then let the object go; without Temporal for too long, let it go anyway."""
    metadata = obj["metadata"]
    if FINALIZER not in (metadata.get("finalizers") or []):
        return Done()
    wants_deletion = (obj.get("spec") or {}).get("deletionPolicy", "Delete") == "Delete"
    if wants_deletion:
        connection = _remembered_connection(metadata) or operator_connection(context.settings.defaults)
        try:
            await _delete_there(context, key, connection)
        except (TemporalError, RetryLater) as error:
            age = (datetime.now(UTC) - time_of(metadata["deletionTimestamp"])).total_seconds()
            limit = context.settings.deletion_timeout
            if age < limit:
                message = f"the schedule could not be deleted from Temporal yet: {error}"
                await context.reporter.tell(obj, "DeletionBlocked", message, warning=True)
                raise RetryLater(message, after=min(_DELETION_RETRY, max(1.0, limit - age))) from None
            message = (
                f"Temporal could not be reached for {age:.0f} s; schedule {key.namespace}.{key.name} may still be"
                f" there, delete it yourself: {error}"
            )
            await context.reporter.tell(obj, "ScheduleAbandoned", message, warning=True)
            logger.error("%s goes, though its schedule may still be in Temporal", key)
    await _set_finalizer(context, key, obj, None)
    return Done()


async def _delete_there(context: Context, key: Key, connection: TemporalConnection) -> None:
    temporal = await context.temporal.get(await make_login(context, key.namespace, connection))
    schedule_id = f"{key.namespace}.{key.name}"
    described = await temporal.describe(schedule_id)
    owner = f"{context.settings.cluster}/{key.namespace}/{key.name}"
    if described is not None and owner_of(described) == owner:
        await temporal.delete(schedule_id)


async def _mark(
    context: Context, key: Key, obj: dict[str, Any], schedule: Schedule, connection: TemporalConnection
) -> dict[str, Any]:
    """Before anything is made in Temporal: note where, and that it has to be cleaned up."""
    metadata = obj["metadata"]
    wire = connection.to_wire()
    before = _remembered_connection(metadata)
    if (
        before is not None
        and before.to_wire() != wire
        and (before.address, before.namespace)
        != (
            connection.address,
            connection.namespace,
        )
    ):
        # The agent moved to another Temporal: the schedule there would go on.
        try:
            await _delete_there(context, key, before)
        except TemporalError as error:
            raise RetryLater(f"the schedule could not be deleted from the Temporal before: {error}") from None
    wants = schedule.spec.deletion_policy == "Delete"
    has = FINALIZER in (metadata.get("finalizers") or [])
    if wants == has and before is not None and before.to_wire() == wire:
        return obj
    return await _set_finalizer(context, key, obj, wire, wants=wants)


async def _set_finalizer(
    context: Context, key: Key, obj: dict[str, Any], connection: dict[str, Any] | None, *, wants: bool = False
) -> dict[str, Any]:
    metadata = obj["metadata"]
    finalizers = [name for name in metadata.get("finalizers") or [] if name != FINALIZER]
    finalizers += [FINALIZER] if wants else []
    operations: list[dict[str, Any]] = [
        {"op": "test", "path": "/metadata/uid", "value": metadata["uid"]},
        {"op": "test", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]},
        {"op": "add", "path": "/metadata/finalizers", "value": finalizers},
    ]
    if connection is not None:
        annotations = {**(metadata.get("annotations") or {}), CONNECTION: json.dumps(connection, sort_keys=True)}
        operations.append({"op": "add", "path": "/metadata/annotations", "value": annotations})
    try:
        request = context.kube.json_patch(SCHEDULE, key.namespace, key.name, operations)
        return await context.writes.do(SCHEDULE, key, request) | {"kind": key.kind}
    except NotFoundError:
        return obj
    except ConflictError:
        raise RetryLater("it changed in the meantime", after=1.0) from None


def _find_connection(context: Context, schedule: Schedule) -> TemporalConnection | None:
    """Where the Agent's workers look for work; None if that cannot be known now."""
    default = operator_connection(context.settings.defaults)
    obj = context.store.read(Key("Agent", schedule.namespace, schedule.spec.agent_ref.name))
    try:
        agent = parse(Agent, obj or {})
        reference = agent.spec.worker_pool_ref
        if reference is None:
            return connection_of(agent, None, default)
        pool = context.store.read(Key("WorkerPool", schedule.namespace, reference.name))
        return connection_of(agent, parse(WorkerPool, pool) if pool else None, default)
    except InvalidManifestError:
        return None


def _remembered_connection(metadata: Mapping[str, Any]) -> TemporalConnection | None:
    text = (metadata.get("annotations") or {}).get(CONNECTION)
    try:
        return TemporalConnection.model_validate(json.loads(text)) if text else None
    except ValueError:
        return None


def _next_look(context: Context, status: Mapping[str, Any]) -> float:
    """Soon after the next run, soon while one is in progress, else when it is time for a look."""
    if status.get("running"):
        return _WHILE_RUNNING
    if status.get("nextRun") and not status.get("paused"):
        until = (time_of(status["nextRun"]) - datetime.now(UTC)).total_seconds() + _AFTER_A_RUN
        # Not all that run at full hours at the same second.
        return min(max(_SOONEST, until) * random.uniform(1.0, 1.05), context.resync())
    return context.resync()


def _kept(old: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in old.items() if name not in ("conditions", "observedGeneration")}


async def _report(
    context: Context,
    obj: Mapping[str, Any],
    findings: list[Finding],
    status: dict[str, Any],
    requeue_after: float,
) -> Done:
    blocked = ready_unless(*findings)
    is_synced = any(finding.type is ConditionType.SYNCED for finding in findings)
    if blocked is None and is_synced:
        blocked = Finding(ConditionType.READY, True, Reason.SYNCED, "the schedule is in force")
    await context.reporter.report(obj, [*findings, *([blocked] if blocked else [])], status)
    return Done(requeue_after)
