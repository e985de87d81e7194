"""Agents and WorkerPools: what runs them, and how they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rojak.manifests import Agent, WorkerPool, WorkerSpec, task_queue_of
from rojak.manifests.worker import TemporalConnection
from rojak_operator.applier import Applied
from rojak_operator.desired.conditions import Finding, accepted, not_accepted, ready_unless, resolved_refs
from rojak_operator.desired.connections import connection_of_workers, operator_connection
from rojak_operator.desired.names import AGENT_GENERATIONS, object_name
from rojak_operator.desired.reasons import ConditionType, Reason
from rojak_operator.desired.references import Reference, data_hashes, find_missing, references_of
from rojak_operator.desired.rollout import Rollout, read_rollout, ready_finding, selector_text
from rojak_operator.desired.scaling import Scaling
from rojak_operator.desired.versions import is_kept
from rojak_operator.desired.worker import DesiredWorker, WorkerInputs, connection_references, render_worker
from rojak_operator.handlers.context import Context, InvalidManifestError, parse
from rojak_operator.handlers.default_pool import keep_default_pool
from rojak_operator.handlers.programmed import programmed_finding
from rojak_operator.handlers.versions import (
    Situation,
    find_situation,
    replicas_before,
    take_leave,
    version_findings,
    version_status,
    wish_for,
)
from rojak_operator.handlers.wishes import Wish
from rojak_operator.resources import Key
from rojak_operator.workqueue import Done

#: What of an Agent concerns its workers' pods, beside what its own workers say.
_PODS_KINDS = ("Secret", "ConfigMap")


async def reconcile_agent(context: Context, key: Key) -> Done:
    """Make an Agent's workers, or see how those of its pool are."""
    obj = context.store.read(key)
    if obj is None or obj["metadata"].get("deletionTimestamp"):
        # Its objects carry an owner reference: the garbage collector ends the pods, which drain.
        context.reporter.forget(key)
        take_leave(context, key)
        return Done()
    try:
        agent = parse(Agent, obj)
    except InvalidManifestError as error:
        await _report_invalid(context, obj, error)
        return Done(context.resync())
    existing = context.existing(agent.namespace)
    references = references_of(obj["spec"])
    if agent.spec.worker_pool_ref is None:
        references += connection_references(agent.spec.worker or WorkerSpec(), context.settings.defaults)
    missing = find_missing(references, existing)
    findings = [accepted(), resolved_refs(missing)]
    status: dict[str, Any] = {
        "taskQueue": task_queue_of(agent.namespace, agent.name),
        "missing": [str(entry.reference) for entry in missing] or None,
        "tools": _count_tools(context, agent),
    }
    again = context.resync()
    if agent.spec.worker_pool_ref is not None:
        pool = Key("WorkerPool", agent.namespace, agent.spec.worker_pool_ref.name)
        of_pool = _pool_findings(context, pool, agent)
        findings += of_pool
        if any(finding.type is ConditionType.READY and finding.status for finding in of_pool):
            status |= await _leave_own_workers(context, key, obj, agent)
    else:
        made = await _make_workers(context, key, obj, agent, [agent], references)
        more, worker_status = _worker_state(context, key, obj, made)
        findings += more
        status |= worker_status
        again = made.next_look(again)
    if blocked := ready_unless(*findings):
        findings = [f for f in findings if f.type is not ConditionType.READY] + [blocked]
    await context.reporter.report(obj, findings, status)
    return Done(again)


async def _leave_own_workers(context: Context, key: Key, obj: Mapping[str, Any], agent: Agent) -> dict[str, Any]:
    """An Agent came to a pool: what it ran on before goes, versions of it when nothing needs them any more."""
    if not context.store.owned_by(key):
        context.versions.forget(key)
        return {}
    situation = find_situation(context, key, obj, WorkerSpec(), {})
    await context.applier.apply_all(
        key, agent.metadata.uid, [], was_there=False, keeps=lambda old: is_kept(old, situation.stay)
    )
    connection = operator_connection(context.settings.defaults)
    existing = frozenset(situation.deployments)
    wish = Wish(connection, situation.deployment, "", is_ready=True, existing=existing)
    wish_for(context, key, wish if situation.concerns else None)
    return version_status(situation, obj.get("status") or {})


async def reconcile_pool(context: Context, key: Key) -> Done:
    """Make the workers of a WorkerPool."""
    is_default = await keep_default_pool(context, key)
    obj = context.store.read(key)
    if obj is None or obj["metadata"].get("deletionTimestamp"):
        context.reporter.forget(key)
        take_leave(context, key)
        return Done(context.resync() if is_default else None)
    try:
        pool = parse(WorkerPool, obj)
    except InvalidManifestError as error:
        await _report_invalid(context, obj, error)
        return Done(context.resync())
    agents = [
        agent
        for agent in context.agents(pool.namespace)
        if agent.spec.worker_pool_ref is not None and agent.spec.worker_pool_ref.name == pool.name
    ]
    own = references_of(obj.get("spec") or {}) + connection_references(pool.spec, context.settings.defaults)
    # What the agents refer to is theirs to report, but the pool's pods carry it.
    carried = [ref for agent in agents for ref in references_of(agent.spec.to_wire()) if ref.kind in _PODS_KINDS]
    findings = [accepted(), resolved_refs(find_missing(own, context.existing(pool.namespace)))]
    made = await _make_workers(context, key, obj, pool, agents, [*own, *carried])
    more, status = _worker_state(context, key, obj, made)
    findings += more
    if blocked := ready_unless(*findings):
        findings = [f for f in findings if f.type is not ConditionType.READY] + [blocked]
    await context.reporter.report(obj, findings, status | {"agents": len(agents)})
    return Done(made.next_look(context.resync()))


@dataclass(frozen=True)
class _Made:
    """The workers of an owner, as they should be and as they are."""

    desired: DesiredWorker
    applied: Applied
    situation: Situation
    connection: TemporalConnection

    def next_look(self, resync: float) -> float:
        """Seconds until the next look: earlier than usual if a version may go until then."""
        change = self.situation.next_change
        return resync if change is None else min(resync, change + 1.0)


async def _make_workers(
    context: Context,
    key: Key,
    obj: Mapping[str, Any],
    owner: Agent | WorkerPool,
    agents: list[Agent],
    references: list[Reference],
) -> _Made:
    namespace = owner.namespace
    servers = context.mcp_servers(namespace)
    used = {tool.mcp.server_ref.name for agent in agents for tool in agent.spec.tools if tool.mcp is not None}
    servers = [server for server in servers if server.name in used]
    references = [*references, *(r for server in servers for r in _remote_references(server.spec.to_wire()))]
    inputs = WorkerInputs(
        owner=owner,
        agents=agents,
        defaults=context.settings.defaults,
        mcp_servers=servers,
        mcp_urls=context.mcp_urls(namespace) if used else {},
        config_maps=await context.config_maps(namespace, references),
        references=data_hashes(references, context.existing(namespace)),
    )
    situation = find_situation(context, key, obj, inputs.spec, inputs.config_maps)
    inputs = replace(inputs, version=situation.version)
    live = context.store.get(Key("Deployment", namespace, inputs.name))
    live_obj = live.read() if live is not None else None
    scaling = Scaling(
        has_keda=context.has_keda,
        live_replicas=live_obj["spec"].get("replicas") if live_obj is not None else None,
        scaled_by_other=live is not None and live.scaled_by_other,
        replicas_before=replicas_before(context, key, situation),
    )
    desired = render_worker(replace(inputs, scaling=scaling))
    connection = connection_of_workers(inputs.spec, operator_connection(context.settings.defaults))
    status = obj.get("status") or {}
    was_there = status.get("revision") == desired.revision and _is_true(status, ConditionType.PROGRAMMED)
    applied = Applied()
    if desired.objects:
        applied = await context.applier.apply_all(
            key,
            owner.metadata.uid,
            desired.objects,
            was_there=was_there,
            keeps=lambda old: is_kept(old, situation.stay),
        )
        for build_id in situation.leaving if not (applied.refused or applied.taken) else ():
            name = f"version {build_id}" if build_id else "what has no version"
            await context.reporter.tell(obj, "VersionRetired", f"nothing needs the workers of {name} any more")
    return _Made(desired, applied, situation, connection)


def _remote_references(spec: Mapping[str, Any]) -> list[Reference]:
    """What a worker needs to reach a server that runs elsewhere; a managed one has its own pods for its own."""
    return references_of({"remote": spec.get("remote") or {}})


def _worker_state(
    context: Context, key: Key, obj: Mapping[str, Any], made: _Made
) -> tuple[list[Finding], dict[str, Any]]:
    """Programmed, Progressing and Ready, and the part of the status that tells of the workers."""
    desired, situation = made.desired, made.situation
    versions = version_status(situation, obj.get("status") or {})
    programmed = _programmed(desired, made.applied)
    wanted = next((obj for obj in desired.objects if obj["kind"] == "Deployment"), None)
    live = made.applied.live.get("Deployment")
    if wanted is None or live is None:
        return [programmed], versions
    rollout = read_rollout(live, wanted)
    wish = None
    if situation.concerns:
        wish = Wish(
            connection=made.connection,
            deployment=situation.deployment,
            target=situation.target,
            # Where no agent is, no queue is polled, and no version can become current.
            is_ready=rollout.unavailable is None and rollout.wanted > 0 and bool(desired.queues),
            queues=desired.queues,
            existing=frozenset(situation.deployments),
        )
    wish_for(context, key, wish)
    findings = [rollout.progressing, ready_finding(rollout)]
    if desired.queues:
        findings = version_findings(situation, rollout, findings)
    return [programmed, *findings], {
        "deployment": desired.deployment,
        "revision": desired.revision,
        **_counts(rollout, live),
        **versions,
    }


def _programmed(desired: DesiredWorker, applied: Applied) -> Finding:
    finding = programmed_finding(applied, f"Deployment {desired.deployment} is as it should be")
    if finding.status and desired.problems:
        message = "; ".join(problem.message for problem in desired.problems)
        return Finding(ConditionType.PROGRAMMED, False, Reason(desired.problems[0].reason), message)
    return finding


def _counts(rollout: Rollout, live: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "replicas": rollout.existing,
        "readyReplicas": rollout.ready,
        "workers": f"{rollout.ready}/{rollout.wanted}",
        "selector": selector_text(live),
    }


def _pool_findings(context: Context, pool: Key, agent: Agent) -> list[Finding]:
    """How an Agent is that runs on a pool: as its pool is, once the pool's configuration holds it."""
    obj = context.store.read(pool)
    if obj is None:
        # ResolvedRefs says so.
        return [Finding(ConditionType.PROGRAMMED, False, Reason.WORKER_POOL_NOT_FOUND, f"there is no {pool}")]
    status = obj.get("status") or {}
    # The configuration and the Deployment of a version share their name.
    name = status.get("deployment") or object_name("WorkerPool", pool.name)
    config_map = context.store.read(Key("ConfigMap", pool.namespace, name))
    annotations = (config_map or {}).get("metadata", {}).get("annotations") or {}
    generations = json.loads(annotations.get(AGENT_GENERATIONS, "{}"))
    conditions = {condition["type"]: condition for condition in status.get("conditions") or []}
    if generations.get(agent.name) != agent.metadata.generation or not _is_true(status, ConditionType.PROGRAMMED):
        programmed = conditions.get("Programmed", {})
        why = programmed.get("message") if programmed.get("status") == "False" else "it has not been rendered yet"
        message = f"{pool} does not hold this version of the agent: {why}"
        return [Finding(ConditionType.PROGRAMMED, False, Reason.POOL_NOT_PROGRAMMED, message)]
    findings = [Finding(ConditionType.PROGRAMMED, True, Reason.PROGRAMMED, f"{pool} holds this version of the agent")]
    for kind in (ConditionType.PROGRESSING, ConditionType.READY):
        if condition := conditions.get(kind.value):
            message = f"{pool}: {condition['message']}"
            findings.append(Finding(kind, condition["status"] == "True", Reason(condition["reason"]), message))
    return findings


def _count_tools(context: Context, agent: Agent) -> int:
    """How many tools the agent has, as far as its MCP servers have been asked."""
    count = len(agent.spec.handoffs)
    for tool in agent.spec.tools:
        if tool.mcp is None:
            count += tool.retriever is None
            continue
        server = context.store.read(Key("MCPServer", agent.namespace, tool.mcp.server_ref.name))
        count += int(((server or {}).get("status") or {}).get("toolCount") or 0)
    return count - len(agent.spec.handoffs)


async def _report_invalid(context: Context, obj: Mapping[str, Any], error: Exception) -> None:
    """What runs goes on running; that the new manifest is not in force is said."""
    findings = [not_accepted(str(error))]
    blocked = ready_unless(*findings)
    assert blocked is not None
    old = {k: v for k, v in (obj.get("status") or {}).items() if k not in ("conditions", "observedGeneration")}
    await context.reporter.report(obj, [*findings, blocked], old)


def _is_true(status: Mapping[str, Any], kind: ConditionType) -> bool:
    return any(c["type"] == kind.value and c["status"] == "True" for c in status.get("conditions") or [])
