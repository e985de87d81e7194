"""What one manifest says of another, and of the world: whether it is there, and whether it makes sense together.

The API server cannot know these. The operator reports them as conditions; here they are found earlier.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import to_json

from rojak.manifests.agent import Agent
from rojak.manifests.cron import Times, ever_fires, parse_calendar, parse_cron
from rojak.manifests.functions import check_functions
from rojak.manifests.loading import Bundle, Key, read
from rojak.manifests.problems import Location, suggestion
from rojak.manifests.resource import Resource
from rojak.manifests.schedule import Schedule
from rojak.manifests.tools import Handoff, Tool
from rojak.manifests.values import ConfigMapKeyRef, ConfigMapRef, SecretKeyRef, SecretRef, time_of
from rojak.types.tools import name_from

#: Bytes of an agent: it travels through Temporal's history (see `rojak.session.limits.AGENT_BYTES`).
AGENT_BYTES: Final = 60 * 1024
#: Parts of an Agent that say what it runs on and do not travel.
_STAYS: Final = {"worker", "worker_pool_ref", "description"}


def load(paths: Iterable[str | Path], *, namespace: str = "default") -> Bundle:
    """Read files and folders, and see that they can be used.

    Args:
        paths: of the files and folders.
        namespace: where objects are that do not say.

    Raises:
        ManifestError: something is wrong with them; all of it.
    """
    bundle = read(paths, namespace=namespace)
    check_references(bundle)
    bundle.check()
    return bundle


def check_references(bundle: Bundle) -> None:
    """Check what the manifests refer to, and add what is wrong to the bundle's problems.

    An Agent or an MCPServer that is missing is an error. A WorkerPool, a Secret or a ConfigMap that is not among the
    files is a warning: others may own it, and Secrets had better not be in files.
    """
    before = len(bundle.problems)
    for agent in bundle.agents.values():
        _check_agent(agent, bundle)
    check_functions(bundle)
    for schedule in bundle.schedules.values():
        _check_schedule(schedule, bundle)
    missed: set[tuple[str, Key]] = set()
    for resource in bundle.resources:
        _check_values(resource, bundle, missed)
    found = sorted(bundle.problems[before:], key=lambda problem: (problem.file, problem.place))
    bundle.problems[before:] = found


def tool_names(agent: Agent) -> Iterator[tuple[str, Location]]:
    """The names that the model sees, as far as they are known without the MCP servers."""
    for index, tool in enumerate(agent.spec.tools):
        name = tool_name_of(tool)
        if name is not None:
            yield name, ("spec", "tools", index)
    for index, handoff in enumerate(agent.spec.handoffs):
        yield handoff_name_of(handoff), ("spec", "handoffs", index)


def tool_name_of(tool: Tool) -> str | None:
    """What the model calls the tool; None for tools of an MCP server, and for knowledge that is not called."""
    if tool.function is not None:
        return tool.function.name.split(":")[-1].split(".")[-1]
    if tool.agent is not None:
        return tool.agent.name or name_from(f"ask_{tool.agent.agent_ref.name}")
    if tool.retriever is not None and tool.retriever.description is not None:
        return tool.retriever.name or name_from(f"search_{tool.retriever.qdrant.collection}")
    return None


def handoff_name_of(handoff: Handoff) -> str:
    """What the model calls the tool that hands over."""
    return handoff.name or name_from(f"transfer_to_{handoff.agent_ref.name}")


def _check_agent(agent: Agent, bundle: Bundle) -> None:
    spec = agent.spec
    for index, tool in enumerate(spec.tools):
        if tool.agent is not None:
            _refer(agent, "Agent", tool.agent.agent_ref.name, ("spec", "tools", index, "agent", "agentRef"), bundle)
        if tool.mcp is not None:
            _refer(agent, "MCPServer", tool.mcp.server_ref.name, ("spec", "tools", index, "mcp", "serverRef"), bundle)
    for index, handoff in enumerate(spec.handoffs):
        _refer(agent, "Agent", handoff.agent_ref.name, ("spec", "handoffs", index, "agentRef"), bundle)
    if spec.worker_pool_ref is not None:
        _refer(agent, "WorkerPool", spec.worker_pool_ref.name, ("spec", "workerPoolRef"), bundle)
    _check_tool_names(agent, bundle)
    _check_instructions(agent, bundle)
    schema = spec.output_schema
    if schema is not None and schema.get("type") != "object":
        message = "must be the JSON schema of an object; begin it with type: object"
        bundle.complain(agent, ("spec", "outputSchema"), message)


def _refer(resource: Resource, kind: str, name: str, location: Location, bundle: Bundle) -> None:
    objects, location = bundle.objects_of(kind), (*location, "name")
    if kind == "Agent" and name == resource.name and isinstance(resource, Agent):
        bundle.complain(resource, location, "an agent cannot hand over to itself, nor ask itself; name another Agent")
    elif (kind, Key(resource.namespace, name)) not in bundle.documents:
        known = [key.name for key in objects if key.namespace == resource.namespace]
        elsewhere = [key.namespace for key in objects if key.name == name]
        hint = suggestion(name, known)
        if elsewhere:
            hint = f"; there is one in {elsewhere[0]!r}, but references stay in their namespace"
        elif not hint:
            hint = f"; add it, or name one of {', '.join(known)}" if known else "; add it"
        where = f"in namespace {resource.namespace!r}"
        bundle.complain(resource, location, f"there is no {kind} {name!r} {where}{hint}", warn=kind == "WorkerPool")


def _check_tool_names(agent: Agent, bundle: Bundle) -> None:
    seen: dict[str, Location] = {}
    for name, location in tool_names(agent):
        if name in seen:
            place = bundle.place_of(agent, seen[name])
            message = f"offers a second tool {name!r}; the first is in line {place.line}: rename or remove one of them"
            bundle.complain(agent, location, message)
        seen.setdefault(name, location)


def _check_instructions(agent: Agent, bundle: Bundle) -> None:
    source = agent.spec.instructions_from
    text = ""
    if source is not None and source.file is not None:
        location = ("spec", "instructionsFrom", "file")
        path = bundle.folder_of(agent) / source.file
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = "it is not text in UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror
            bundle.complain(agent, location, f"{path} cannot be read: {reason}")
        else:
            message = "works on a laptop only; for a cluster put the text into a ConfigMap, and use configMapKeyRef"
            bundle.complain(agent, location, message, warn=True)
    elif source is not None and source.config_map_key_ref is not None:
        ref = source.config_map_key_ref
        text = bundle.config_maps.get(Key(agent.namespace, ref.name), {}).get(ref.key, "")
    size = len(text.encode()) + len(to_json(agent.spec.model_dump(exclude=_STAYS, exclude_unset=True)))
    if size > AGENT_BYTES:
        named = next(n for n in ("instructions", "instructionsFrom", "model") if n == "model" or _is_set(agent, n))
        bundle.complain(
            agent,
            ("spec", named),
            f"the agent is too large: {size // 1024} KiB of at most {AGENT_BYTES // 1024}; shorten the instructions,"
            " or let a retriever or a tool look up what they tell",
        )


def _is_set(agent: Agent, name: str) -> bool:
    return getattr(agent.spec, "instructions_from" if name == "instructionsFrom" else name) is not None


def _check_schedule(schedule: Schedule, bundle: Bundle) -> None:
    spec = schedule.spec
    _refer(schedule, "Agent", spec.agent_ref.name, ("spec", "agentRef"), bundle)
    zones = zoneinfo.available_timezones()
    if zones and spec.time_zone not in zones:
        message = f"there is no time zone {spec.time_zone!r}{suggestion(spec.time_zone, zones)}"
        bundle.complain(schedule, ("spec", "timeZone"), message)
    now = datetime.now(UTC)
    end = time_of(spec.end_at) if spec.end_at else None
    if end is not None and end < now:
        bundle.complain(schedule, ("spec", "endAt"), "is in the past, so that it never runs; move it, or remove it")
    wanted: list[tuple[Location, Times]] = []
    sources: list[tuple[Location, Any]] = [(("spec", "cron"), spec.cron)] if spec.cron else []
    sources += [(("spec", "calendars", i), item) for i, item in enumerate(spec.calendars or ())]
    sources += [(("spec", "skip", i), item) for i, item in enumerate(spec.skip)]
    for location, source in sources:
        try:
            times = parse_cron(source) if isinstance(source, str) else parse_calendar(source.to_wire())
        except ValueError as error:
            bundle.complain(schedule, location, str(error))
        else:
            if "skip" not in location:
                wanted.append((location, times))
    start = time_of(spec.start_at) if spec.start_at else None
    for location, times in wanted:
        if not (end is not None and end < now) and not ever_fires(times, start, end, now):
            limits = " between startAt and endAt" if start or end else ""
            bundle.complain(schedule, location, f"never fires: no day matches all of its fields{limits}; correct it")


def _check_values(resource: Resource, bundle: Bundle, missed: set[tuple[str, Key]]) -> None:
    for location, ref in _references_in(resource, ()):
        key = Key(resource.namespace, ref.name)
        kind = "Secret" if isinstance(ref, SecretKeyRef | SecretRef) else "ConfigMap"
        objects = bundle.secrets if kind == "Secret" else bundle.config_maps
        wanted = ref.key if isinstance(ref, SecretKeyRef | ConfigMapKeyRef) else None
        if getattr(ref, "optional", False):
            continue
        if (kind, key) in missed:
            continue
        if (kind, key) not in bundle.documents:
            missed.add((kind, key))
            known = [other.name for other in objects if other.namespace == resource.namespace]
            hint = (
                suggestion(ref.name, known) or f"; it has to be in namespace {resource.namespace!r} when this is used"
            )
            bundle.complain(
                resource, (*location, "name"), f"no {kind} {ref.name!r} is among the files{hint}", warn=True
            )
        elif wanted is not None and wanted not in objects[key]:
            keys = ", ".join(sorted(objects[key])) or "none"
            message = f"{kind} {ref.name!r} has no key {wanted!r}{suggestion(wanted, objects[key])} (keys: {keys})"
            bundle.complain(resource, (*location, "key"), message)


Ref = SecretKeyRef | ConfigMapKeyRef | SecretRef | ConfigMapRef


def _references_in(value: Any, location: Location) -> Iterator[tuple[Location, Ref]]:
    """Everything in a manifest that names a Secret or a ConfigMap."""
    if isinstance(value, SecretKeyRef | ConfigMapKeyRef | SecretRef | ConfigMapRef):
        yield location, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _references_in(item, (*location, index))
    elif isinstance(value, BaseModel):
        for key, field in type(value).model_fields.items():
            yield from _references_in(getattr(value, key), (*location, field.alias or key))
