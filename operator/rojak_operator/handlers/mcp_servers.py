"""MCPServers: the managed ones are run, and all are asked for their tools, which holds up nobody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from rojak.manifests import MCPServer, seconds_of, time_of
from rojak.manifests.hashing import hash_of
from rojak_operator.desired.conditions import Finding, accepted, not_accepted, ready_unless, resolved_refs
from rojak_operator.desired.mcp_server import endpoint_of, render_mcp_server
from rojak_operator.desired.reasons import ConditionType, Reason
from rojak_operator.desired.references import data_hashes, find_missing, references_of
from rojak_operator.desired.rollout import Rollout, read_rollout, ready_finding, selector_text
from rojak_operator.discovered import Discovered, Endpoint
from rojak_operator.handlers.context import Context, InvalidManifestError, parse
from rojak_operator.handlers.programmed import programmed_finding
from rojak_operator.resources import Key
from rojak_operator.workqueue import Done

_TOOLS = ("toolCount", "tools", "truncated", "toolsHash", "server", "lastDiscoveryTime")


async def reconcile_mcp_server(context: Context, key: Key) -> Done:
    """Run it if that is ours to do, and tell what is known of its tools."""
    obj = context.store.read(key)
    if obj is None or obj["metadata"].get("deletionTimestamp"):
        context.reporter.forget(key)
        context.discoveries.pop(key, None)
        return Done()
    old: Mapping[str, Any] = obj.get("status") or {}
    try:
        server = parse(MCPServer, obj)
    except InvalidManifestError as error:
        findings = [not_accepted(str(error))]
        kept = {name: value for name, value in old.items() if name not in ("conditions", "observedGeneration")}
        blocked = ready_unless(*findings)
        await context.reporter.report(obj, [*findings, *([blocked] if blocked else [])], kept)
        return Done(context.resync())
    references = references_of(obj["spec"])
    existing = context.existing(server.namespace)
    findings = [accepted(), resolved_refs(find_missing(references, existing))]
    status: dict[str, Any] = {"url": endpoint_of(server)}
    desired = render_mcp_server(server, context.settings.defaults, data_hashes(references, existing))
    rollout: Rollout | None = None
    if desired or context.store.owned_by(key):
        wanted = next((o for o in desired if o["kind"] == "Deployment"), None)
        revision = hash_of(wanted["spec"]["template"], 10) if wanted else None
        applied = await context.applier.apply_all(
            key, server.metadata.uid, desired, was_there=bool(revision) and old.get("revision") == revision
        )
        if wanted is not None:
            name = wanted["metadata"]["name"]
            findings.append(programmed_finding(applied, f"Deployment {name} is as it should be"))
            live = applied.live.get("Deployment")
            if live is not None:
                rollout = read_rollout(live, wanted)
                findings.append(rollout.progressing)
                status |= {
                    "deployment": name,
                    "revision": revision,
                    "replicas": rollout.existing,
                    "readyReplicas": rollout.ready,
                    "selector": selector_text(live),
                }
    reachable, tools, requeue = _reachability(context, key, server, old, rollout)
    findings.append(reachable)
    status |= tools
    blocked = ready_unless(*findings)
    findings.append(blocked or _ready(server, rollout, reachable))
    await context.reporter.report(obj, findings, status)
    return Done(min(requeue, context.resync()))


def _ready(server: MCPServer, rollout: Rollout | None, reachable: Finding) -> Finding:
    """A managed server is ready when its pods are; of a remote one nothing is known but whether it answers."""
    if rollout is not None:
        return ready_finding(rollout)
    if not server.spec.discovery.enabled:
        return Finding(ConditionType.READY, True, Reason.DISCOVERY_OFF, "the server is not asked; workers will see")
    return Finding(ConditionType.READY, reachable.status, reachable.reason, reachable.message)


def _reachability(
    context: Context, key: Key, server: MCPServer, old: Mapping[str, Any], rollout: Rollout | None
) -> tuple[Finding, dict[str, Any], float]:
    """The condition, what is known of the tools, and the seconds until the server is to be asked again."""
    known = {name: old[name] for name in _TOOLS if name in old}
    discovery = server.spec.discovery
    if not discovery.enabled:
        return Finding(ConditionType.REACHABLE, None, Reason.DISCOVERY_OFF, "discovery is off"), {}, context.resync()
    if rollout is not None and rollout.ready == 0:
        message = "no pod of the server is ready"
        return (
            Finding(ConditionType.REACHABLE, None, Reason.NOT_DISCOVERED_YET, message),
            known | ({"stale": True} if known else {}),
            context.resync(),
        )
    generation = server.metadata.generation
    interval = seconds_of(discovery.interval)
    found = context.discoveries.get(key)
    if found is not None and found.generation == generation:
        due = found.at + interval - time.monotonic()
        if due <= 0:
            context.ask(key)
        return _from(found.result, found.told_at, known), _tools(found.result, found.told_at, known), max(1.0, due)
    condition = next((c for c in old.get("conditions") or [] if c["type"] == "Reachable"), None)
    age = _age(old.get("lastDiscoveryTime"))
    if condition and condition["observedGeneration"] == generation and condition["status"] == "True" and age < interval:
        # Another operator asked a short while ago.
        finding = Finding(ConditionType.REACHABLE, True, Reason(condition["reason"]), condition["message"])
        return finding, known, interval - age
    context.ask(key)
    message = "the server has not been asked yet"
    stale = {"stale": True} if known else {}
    return Finding(ConditionType.REACHABLE, None, Reason.NOT_DISCOVERED_YET, message), known | stale, context.resync()


def _from(result: Discovered, told_at: str, known: Mapping[str, Any]) -> Finding:
    message = result.message
    if not result.is_reached and known.get("toolCount") is not None:
        message += f"; its tools are known from {known.get('lastDiscoveryTime')}"
    return Finding(ConditionType.REACHABLE, result.is_reached, result.reason, message)


def _tools(result: Discovered, told_at: str, known: Mapping[str, Any]) -> dict[str, Any]:
    if result.is_reached:
        return result.status | {"lastDiscoveryTime": told_at, "stale": False}
    return {**known, "stale": True} if known else {}


def _age(text: str | None) -> float:
    return (datetime.now(UTC) - time_of(text)).total_seconds() if text else float("inf")


async def ask_mcp_server(context: Context, key: Key) -> Done:
    """Ask one server for its tools, and have its status told anew."""
    obj = context.store.read(key)
    if obj is None or obj["metadata"].get("deletionTimestamp"):
        return Done()
    try:
        server = parse(MCPServer, obj)
    except InvalidManifestError:
        return Done()
    if not server.spec.discovery.enabled:
        return Done()
    tools = server.spec.tools
    discover = await asyncio.to_thread(_import_discover)
    result = await discover(
        await _endpoint(context, server),
        include=tools.include if tools else None,
        exclude=tools.exclude if tools else None,
    )
    context.remember_discovery(key, result, server.metadata.generation)
    context.wake(key, 0.0)
    return Done()


def _import_discover() -> Callable[..., Awaitable[Discovered]]:
    """In a thread, for others not to wait: it takes seconds the first time."""
    from rojak_operator.discovery import discover

    return discover


async def _endpoint(context: Context, server: MCPServer) -> Endpoint:
    url = endpoint_of(server)
    assert url is not None
    timeout = seconds_of(server.spec.discovery.timeout)
    remote = server.spec.remote
    if remote is None:
        managed = server.spec.managed
        transport = "SSE" if managed is not None and managed.transport == "SSE" else "StreamableHTTP"
        return Endpoint(url, transport, timeout)
    references = references_of({"remote": remote.to_wire()})
    secrets = await context.secret_values(server.namespace, references)
    maps = await context.config_maps(server.namespace, references)
    headers = {}
    for header in remote.headers or []:
        value = header.value
        if header.value_from is not None:
            if (ref := header.value_from.secret_key_ref) is not None:
                value = secrets.get((ref.name, ref.key))
            elif (config_ref := header.value_from.config_map_key_ref) is not None:
                value = maps.get(config_ref.name, {}).get(config_ref.key)
        # One that is missing is told in ResolvedRefs; the server may do without.
        if value is not None:
            headers[header.name] = value.strip()
    ca = None
    if remote.tls is not None and remote.tls.ca_cert is not None:
        authority = remote.tls.ca_cert
        if authority.secret_key_ref is not None:
            ca = secrets.get((authority.secret_key_ref.name, authority.secret_key_ref.key))
        elif authority.config_map_key_ref is not None:
            ca = maps.get(authority.config_map_key_ref.name, {}).get(authority.config_map_key_ref.key)
    return Endpoint(
        url,
        remote.transport,
        timeout,
        headers=headers,
        ca=ca,
        verify=not (remote.tls is not None and remote.tls.insecure_skip_verify),
    )
