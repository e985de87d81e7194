"""Every field of the manifests' specs, and what becomes of a manifest: for the test that no field is without effect."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import BaseModel

from rojak.hosting.definitions import Definition
from rojak.hosting.functions import FunctionSource
from rojak.hosting.mcp_servers import build_mcp_servers
from rojak.hosting.providers import build_provider, build_retrievers
from rojak.hosting.secrets import Secrets
from rojak.manifests import Agent, MCPServer, Resource, Schedule, WorkerPool
from rojak.manifests.base import Model, wire_name
from rojak.manifests.worker import WorkerSpec
from rojak.schedules.desired import render_schedule
from rojak.workerconfig import WorkerConfig
from rojak_operator.desired.defaults import Defaults, TemporalDefaults
from rojak_operator.desired.mcp_server import endpoint_of, render_mcp_server
from rojak_operator.desired.references import find_missing, references_of
from rojak_operator.desired.scaling import Scaling
from rojak_operator.desired.schedule_status import schedule_status
from rojak_operator.desired.versions import (
    DRAINED,
    Routing,
    Version,
    VersionState,
    build_id_of,
    is_managed,
    versions_that_stay,
)
from rojak_operator.desired.worker import WorkerInputs, render_worker

DEFAULTS = Defaults(image="rojak:test", temporal=TemporalDefaults(address="temporal:7233"))
KINDS: dict[str, type[Resource]] = {
    "Agent": Agent,
    "MCPServer": MCPServer,
    "Schedule": Schedule,
    "WorkerPool": WorkerPool,
}
_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
#: Hashes tell that something changed, and not that anybody heeds it.
_HASHES = ("rojak.dev/desired-hash", "rojak.dev/config-hash", "rojak.dev/agent-generations")


def paths_of(cls: type[BaseModel], prefix: str) -> Iterator[str]:
    """Paths of the fields that hold values, as ``Agent.tools[].mcp.prefix``."""
    for name, field in cls.model_fields.items():
        path = f"{prefix}.{wire_name(cls, name)}"
        models = list(_models(field.annotation))
        for inner, is_list in models:
            yield from paths_of(inner, f"{path}[]" if is_list else path)
        if not models:
            yield path


def _models(annotation: Any, *, is_list: bool = False) -> Iterator[tuple[type[BaseModel], bool]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation, is_list
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from _models(typing.get_args(annotation)[0], is_list=is_list)
    elif origin in (typing.Union, types.UnionType, list):
        for argument in typing.get_args(annotation):
            yield from _models(argument, is_list=is_list or origin is list)


def values_in(
    data: Any, known: set[str], path: str, place: tuple[str | int, ...] = ()
) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """Paths of the values that a spec gives, and where in it each is."""
    if path in known:
        yield path, place
    elif isinstance(data, Mapping):
        for name, inner in data.items():
            yield from values_in(inner, known, f"{path}.{name}", (*place, name))
    elif isinstance(data, Sequence) and not isinstance(data, str):
        for number, inner in enumerate(data):
            yield from values_in(inner, known, f"{path}[]", (*place, number))


def _pem(text: str) -> str:
    """Text that will do wherever a certificate is wanted."""
    return f"-----BEGIN CERTIFICATE-----\n{text}"


class _Anything(Mapping[str, Any]):
    """ConfigMaps, keys or variables: all that anybody asks for are there, and each is another one."""

    def __init__(self, name: str = "") -> None:
        self._name = name

    def __getitem__(self, key: str) -> Any:
        return _pem(f"{self._name}/{key}") if self._name else _Anything(key)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 1


class _Nothing:
    """Nothing that is referred to is there."""

    def exists(self, kind: str, name: str) -> bool:
        return False

    def has_key(self, kind: str, name: str, key: str) -> bool:
        return False

    def data_hash(self, kind: str, name: str) -> str:
        return ""


def outcome(documents: Sequence[Mapping[str, Any]]) -> str:
    """All that is made of manifests: objects, what the worker makes of its configuration, Temporal's schedule."""
    found = [KINDS[document["kind"]].parse(document) for document in documents]
    agents = [obj for obj in found if isinstance(obj, Agent)]
    servers = [obj for obj in found if isinstance(obj, MCPServer)]
    parts: list[Any] = [_columns(obj) for obj in found]
    parts += [str(m.reference) for o in found for m in find_missing(references_of(o.to_wire()["spec"]), _Nothing())]
    for owner in (
        *(a for a in agents if a.spec.worker_pool_ref is None),
        *(o for o in found if isinstance(o, WorkerPool)),
    ):
        parts += _of_workers(owner, [owner] if isinstance(owner, Agent) else agents, servers)
    for server in servers:
        parts += [endpoint_of(server), render_mcp_server(server, DEFAULTS, {})]
    for schedule in (obj for obj in found if isinstance(obj, Schedule)):
        desired = render_schedule(schedule, config_maps=_Anything(), has_attributes=True)  # type: ignore[arg-type]  # as far as it is asked
        parts += [desired.spec, desired.policies, desired.action, desired.paused, _status(schedule)]
    return json.dumps(parts, sort_keys=True, default=_plain)


def _of_workers(owner: Agent | WorkerPool, agents: list[Agent], servers: list[MCPServer]) -> Iterator[Any]:
    urls = {server.name: endpoint_of(server) or "" for server in servers if server.spec.remote is None}
    workers = owner.spec if isinstance(owner, WorkerPool) else owner.spec.worker or WorkerSpec()
    version = Version(build_id_of(workers, {}, DEFAULTS)) if is_managed(workers) else None
    desired = render_worker(
        WorkerInputs(
            owner=owner, agents=agents, defaults=DEFAULTS, mcp_servers=servers, mcp_urls=urls,
            config_maps=_Anything(), scaling=Scaling(has_keda=True), version=version,
        )
    )  # fmt: skip
    if version is not None and workers.versioning is not None:
        routing = Routing(version.build_id, {"old": VersionState(DRAINED, "2026-01-01T00:00:00Z")})
        yield versions_that_stay(["old"], version.build_id, routing, workers.versioning.keep_drained, _MOMENT)
    for obj in desired.objects:
        if obj["kind"] == "ConfigMap":
            config = WorkerConfig.model_validate_json(obj["data"]["worker.json"])
            yield from _of_config(config)
        else:
            yield json.loads(json.dumps(obj), object_hook=lambda d: {k: v for k, v in d.items() if k not in _HASHES})
    yield [problem.message for problem in desired.problems]


def _of_config(config: WorkerConfig) -> Iterator[Any]:
    """What the worker process makes of its configuration; what it is handed on to it as it is, as it is."""
    yield config.model_dump(mode="json", exclude={"agents", "mcp_servers"})
    secrets = Secrets(config.secrets, {entry.env or "": _pem(f"secret of {entry.env}") for entry in config.secrets})
    entries = {entry.name: entry for entry in config.mcp_servers}
    for entry in config.agents:
        definition = Definition(entry, config.namespace, FunctionSource(config.functions))
        yield entry.task_queue
        yield definition.agent.model_dump(mode="json", exclude_unset=True)
        yield vars(build_provider(definition, secrets).options)
        yield [vars(retriever._options) for retriever in build_retrievers(definition, secrets)]  # type: ignore[attr-defined]  # Qdrant's
        yield build_mcp_servers(entry.name, entry.spec, entries, secrets)


def _columns(obj: Resource) -> list[Any]:
    """What ``kubectl get`` shows of the spec."""
    wire = obj.to_wire()
    paths = [column.path for column in type(obj).listing.columns if column.path.startswith(".spec.")]
    return [_at(wire, path.strip(".").split(".")) for path in paths]


def _at(data: Any, path: Sequence[str]) -> Any:
    for name in path:
        data = data.get(name) if isinstance(data, Mapping) else None
    return data


def _status(schedule: Schedule) -> dict[str, Any]:
    moment = Timestamp()
    moment.FromDatetime(_MOMENT)
    info = types.SimpleNamespace(
        future_action_times=[moment], action_count=9, missed_catchup_window=0, overlap_skipped=0
    )
    state = types.SimpleNamespace(paused=schedule.spec.paused, notes="")
    described = types.SimpleNamespace(info=info, schedule=types.SimpleNamespace(state=state))
    runs = [{"workflowID": f"{status}-{n}", "status": status} for n in range(9) for status in ("Completed", "Failed")]
    return schedule_status(schedule, described, runs)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return str(value) if not callable(value) else f"{value.__module__}.{value.__qualname__}"
