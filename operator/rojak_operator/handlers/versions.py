"""Versions side by side: which one is wanted, which one Temporal gives work to, and when the old ones may go.

Reconciling an owner says what is wanted (`Wish`) and goes by what Temporal said last (`Seen`; both in `wishes`).
Temporal is asked in between, by workers of their own: one that does not answer holds up no other object.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from rojak.manifests import WorkerSpec
from rojak.manifests.hashing import hash_of
from rojak_operator.deployments import WorkerDeployment
from rojak_operator.desired.conditions import Finding
from rojak_operator.desired.names import BUILD_ID, object_name
from rojak_operator.desired.reasons import ConditionType, Reason
from rojak_operator.desired.rollout import Rollout
from rojak_operator.desired.versions import (
    DRAINED,
    DRAINING,
    INACTIVE,
    Routing,
    Version,
    build_id_of,
    is_managed,
    versions_status,
    versions_that_stay,
)
from rojak_operator.desired.worker import functions_map
from rojak_operator.handlers.context import Context
from rojak_operator.handlers.logins import make_login
from rojak_operator.handlers.wishes import Seen, Wish
from rojak_operator.resources import Key
from rojak_operator.temporal import TemporalError
from rojak_operator.workqueue import Done, RetryLater

logger = logging.getLogger(__name__)

#: Seconds until the next look: until all of Temporal knows of a change, and while an old version has sessions.
_SOON: Final = 1.0
_WHILE_DRAINING: Final = 15.0
#: Seconds until sessions that did not move are told again, at first and at most: each time twice as many.
_TELL_AGAIN: Final = 20.0
_TELL_SELDOM: Final = 3600.0


@dataclass(frozen=True)
class Situation:
    """The versions of one owner, as one reconciliation finds them.

    Attributes:
        deployment: name of the Worker Deployment in Temporal.
        target: build id of the version that is wanted; empty: workers without a version.
        deployments: what has workers, by build id.
        routing: as Temporal was seen last, if it was asked since this target is wanted.
        problem: why Temporal could not be asked, or refused.
        current: the current version as far as is known: by the status, until Temporal was asked.
        stay: build ids whose objects stay as they are.
        next_change: seconds until one of them may go.
    """

    deployment: str
    target: str
    deployments: Mapping[str, str]
    routing: Routing | None
    problem: Finding | None
    current: str | None
    stay: frozenset[str]
    next_change: float | None

    @property
    def concerns(self) -> bool:
        """Whether there is anything to do with versions."""
        return bool(self.target) or any(self.deployments)

    @property
    def leaving(self) -> list[str]:
        """Build ids of those whose workers go now."""
        return sorted(self.deployments.keys() - self.stay - {self.target}) if self.concerns else []

    @property
    def version(self) -> Version | None:
        """The version that is to be rendered."""
        return Version(self.target, self.current == self.target) if self.target else None


def find_situation(
    context: Context,
    key: Key,
    obj: Mapping[str, Any],
    spec: WorkerSpec,
    config_maps: Mapping[str, Mapping[str, str]],
) -> Situation:
    """How the versions of an owner are."""
    target = ""
    if is_managed(spec):
        functions = config_maps.get(functions_map(spec) or "", {})
        target = build_id_of(spec, functions, context.settings.defaults)
    deployments = _deployments(context, key)
    seen = context.versions.seen.get(key)
    if seen is not None and seen.target != target:
        seen = None
    routing = seen.routing if seen else None
    told = (obj.get("status") or {}).get("buildID")
    keep = spec.versioning.keep_drained if spec.versioning else "0s"
    stay, next_change = versions_that_stay(deployments, target, routing, keep, datetime.now(UTC))
    return Situation(
        deployment=f"{key.namespace}/{object_name(key.kind, key.name)}",
        target=target,
        deployments=deployments,
        routing=routing,
        problem=seen.problem if seen else None,
        current=routing.current if routing is not None else told or (None if target else ""),
        stay=frozenset(stay),
        next_change=next_change,
    )


def wish_for(context: Context, key: Key, wish: Wish | None) -> None:
    """Remember what is wanted, and have Temporal asked if that is news. None: nothing is."""
    versions = context.versions
    if wish is None:
        versions.forget(key)
    elif versions.wishes.get(key) != wish or key not in versions.seen:
        versions.wishes[key] = wish
        context.ask_versions(key)


def take_leave(context: Context, key: Key) -> None:
    """The owner is gone: whoever serves its task queues next is not to be kept from work by its last version.

    Without a finalizer, which would hold up the deletion for as long as Temporal does not answer.
    """
    wish = context.versions.wishes.get(key)
    if wish is None or not wish.target:
        context.versions.forget(key)
    elif not wish.is_farewell:
        wish_for(context, key, replace(wish, target="", is_ready=True, existing=frozenset(), is_farewell=True))


def version_findings(situation: Situation, rollout: Rollout, findings: list[Finding]) -> list[Finding]:
    """Progressing and Ready, where versions count too: workers of a version that gets no work are not ready."""
    current, target = situation.current, situation.target
    if not situation.concerns or current == target:
        return findings
    name = f"version {target}" if target else "what has no version"
    serves = f"; version {current} goes on meanwhile" if current else ""
    if rollout.wanted == 0:
        message = f"{name} has no worker, so that it cannot become the current one{serves}"
        others = [finding for finding in findings if finding.type is not ConditionType.READY]
        return [*others, Finding(ConditionType.READY, False, Reason.VERSION_NOT_CURRENT, message)]
    if rollout.unavailable is not None:
        return [Finding(f.type, f.status, f.reason, f"{f.message}{serves}") for f in findings]
    if (why := situation.problem) is not None:
        message = f"{name} is ready, and could not be made the current one: {why.message}{serves}"
        kinds = (ConditionType.PROGRESSING, ConditionType.READY)
        return [Finding(kind, False, why.reason, message) for kind in kinds]
    message = f"{name} is ready and becomes the current one{serves}"
    return [
        Finding(ConditionType.PROGRESSING, True, Reason.VERSION_NOT_CURRENT, message),
        Finding(ConditionType.READY, False, Reason.VERSION_NOT_CURRENT, message),
    ]


def version_status(situation: Situation, old: Mapping[str, Any]) -> dict[str, Any]:
    """The part of the status that tells of versions; as it was, until Temporal was asked."""
    if not situation.concerns:
        return {}
    versions = old.get("versions")
    if situation.routing is not None:
        versions = versions_status(situation.deployments, situation.routing) or None
    return {"buildID": situation.current or None, "versions": versions}


def replicas_before(context: Context, key: Key, situation: Situation) -> int:
    """Workers of the versions that the target is to take over from."""
    counts = [0]
    for build_id, name in situation.deployments.items():
        if build_id != situation.target:
            live = context.store.read(Key("Deployment", key.namespace, name)) or {}
            counts.append(int((live.get("spec") or {}).get("replicas") or 0))
    return max(counts)


def _deployments(context: Context, key: Key) -> dict[str, str]:
    found = {}
    for owned in context.store.owned_by(key):
        live = context.store.read(owned) if owned.kind == "Deployment" else None
        if live is not None and not live["metadata"].get("deletionTimestamp"):
            found[(live["metadata"].get("labels") or {}).get(BUILD_ID, "")] = owned.name
    return found


async def follow_versions(context: Context, key: Key) -> Done:
    """Ask Temporal how the versions of an owner are, and do there what is wanted."""
    wish = context.versions.wishes.get(key)
    if wish is None:
        return Done()
    try:
        login = await make_login(context, key.namespace, wish.connection)
        deployment = WorkerDeployment(await context.temporal.get(login), wish.deployment)
        routing = await deployment.look()
        if wish.is_ready and routing.current != wish.target:
            routing = await _promote(context, key, wish, deployment, routing)
        if wish.is_farewell and context.versions.wishes.get(key) == wish:
            context.versions.forget(key)
            return Done()
        _remember(context, key, Seen(wish.target, routing))
    except TemporalError as error:
        is_refused = not error.is_passing or error.code == "FAILED_PRECONDITION"
        reason = Reason.TEMPORAL_REFUSED if is_refused else Reason.TEMPORAL_UNREACHABLE
        _note_problem(context, key, wish, Finding(ConditionType.PROGRESSING, False, reason, str(error)))
        raise RetryLater(str(error)) from None
    except RetryLater as error:
        problem = Finding(ConditionType.PROGRESSING, False, Reason.TEMPORAL_UNREACHABLE, str(error))
        _note_problem(context, key, wish, problem)
        raise
    if routing.current != wish.target:
        if wish.is_ready:
            raise RetryLater(f"Temporal has not seen workers of {wish.target!r} at all of their task queues yet")
        return Done(context.resync())
    return Done(await _tidy_up(context, key, wish, deployment, routing))


async def _promote(context: Context, key: Key, wish: Wish, deployment: WorkerDeployment, routing: Routing) -> Routing:
    """Make the version current that is wanted, once Temporal sees its workers everywhere."""
    if wish.target and not await deployment.polls(wish.target, wish.queues):
        return routing
    await deployment.make_current(wish.target)
    obj = context.store.read(key)
    if obj is not None:
        what = f"version {wish.target}" if wish.target else "what has no version"
        before = f", after version {routing.current}" if routing.current else ""
        await context.reporter.tell(obj, "VersionIsCurrent", f"{what} gets what begins from now on{before}")
    logger.info("%s: %r is the current version, after %r", key, wish.target, routing.current)
    return await deployment.look()


async def _tidy_up(context: Context, key: Key, wish: Wish, deployment: WorkerDeployment, routing: Routing) -> float:
    """Have idle sessions move from old versions, forget versions that nothing needs; seconds until the next look."""
    draining = [build_id for build_id, version in routing.versions.items() if version.state == DRAINING]
    for entry in [entry for entry in context.versions.told if entry[0] == key and entry[1] not in draining]:
        del context.versions.told[entry]
    for build_id in draining if routing.is_settled else ():
        await _tell_sessions(context, key, deployment, build_id)
    for build_id, version in routing.versions.items():
        if version.state not in (DRAINED, INACTIVE) or build_id in wish.existing or build_id == wish.target:
            continue
        try:
            await deployment.delete(build_id)
        except TemporalError as error:
            # Workers were seen a short while ago. Temporal also does it by itself when there are too many.
            logger.debug("%s: version %s stays in Temporal: %s", key, build_id, error)
    if not routing.is_settled:
        return _SOON
    return min(context.resync(), _WHILE_DRAINING) if draining else context.resync()


async def _tell_sessions(context: Context, key: Key, deployment: WorkerDeployment, build_id: str) -> None:
    told, due = context.versions.told.get((key, build_id), (0, 0.0))
    if time.monotonic() < due:
        return
    try:
        if count := await deployment.count_sessions(build_id):
            # Whoever comes after us within the same minute asks for the same job.
            job = hash_of([key, build_id, int(time.time() // 60), told], 20)
            await deployment.tell_sessions(build_id, job_id=f"rojak-{job}")
            logger.info("%s: up to %d sessions are told to move from version %s", key, count, build_id)
    except TemporalError as error:
        # Another batch is in progress, or we are not allowed to: sessions then move with their next message.
        logger.warning("%s: sessions of version %s were not told to move: %s", key, build_id, error)
    wait = min(_TELL_SELDOM, _TELL_AGAIN * 2**told)
    context.versions.told[key, build_id] = (told + 1, time.monotonic() + wait)


def _note_problem(context: Context, key: Key, wish: Wish, problem: Finding) -> None:
    """What was seen before is still the best that is known, if it was seen with the same wish."""
    before = context.versions.seen.get(key)
    routing = before.routing if before is not None and before.target == wish.target else None
    _remember(context, key, Seen(wish.target, routing, problem))


def _remember(context: Context, key: Key, seen: Seen) -> None:
    if key not in context.versions.wishes:
        return
    if context.versions.seen.get(key) != seen:
        context.versions.seen[key] = seen
        context.wake(key, 0.0)
