"""From manifests to the file that a worker process is started with. Pure: same manifests, same file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rojak.manifests import Agent, MCPServer, WorkerSpec, task_queue_of
from rojak.manifests.worker import TemporalConnection
from rojak.workerconfig.model import VersionEntry, WorkerConfig
from rojak.workerconfig.secrets import secret_env_name

ConfigMaps = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that a manifest refers to and that is not there.

    Attributes:
        kind: of what is missing.
        name: of what is missing.
        key: in it; None when it is missing as a whole, or has no keys.
        used_by: the manifest that refers to it, as ``Kind/name``.
    """

    kind: str
    name: str
    key: str | None
    used_by: str


@dataclass(frozen=True, slots=True)
class RenderedWorker:
    """What a worker process needs.

    Attributes:
        config: its file. ``config.secrets`` says which environment variables the process must have.
        missing: what could not be resolved. An agent without instructions, and an MCP server that is not there, are
            left out of the file; the other agents of the pool are not held up by them.
    """

    config: WorkerConfig
    missing: tuple[Missing, ...] = ()


def render_worker_config(
    *,
    name: str,
    namespace: str,
    agents: Iterable[Agent],
    mcp_servers: Iterable[MCPServer] = (),
    worker: WorkerSpec | None = None,
    config_maps: ConfigMaps | None = None,
    instructions: Mapping[str, str] | None = None,
    mcp_urls: Mapping[str, str] | None = None,
    temporal: TemporalConnection | None = None,
    functions_folder: str | None = None,
    python_path: Sequence[str] = (),
    http_port: int | None = None,
    version: VersionEntry | None = None,
) -> RenderedWorker:
    """The file for the workers of one pool, or of one Agent that has its own.

    Args:
        name: of the pool, or of the Agent.
        namespace: where the manifests are.
        agents: those that run on it.
        mcp_servers: of the namespace; those are rendered that the agents use.
        worker: what they run on.
        config_maps: their data, by name and key; those that the manifests refer to are enough.
        instructions: text of the instructions by agent, where ``instructionsFrom`` names a file.
        mcp_urls: endpoints of managed MCP servers, by name. One that has none and speaks over its standard streams is
            started by the worker itself.
        temporal: what the pool does not say of the connection.
        functions_folder: where the files of ``functions.configMapRef`` are found.
        python_path: folders where modules are looked for, besides where Python looks.
        http_port: where health, readiness and metrics are served, if not at the usual port.
        version: of the code, where versions run side by side.
    """
    worker = worker or WorkerSpec()
    resolver = _Resolver(config_maps or {})
    served = sorted(agents, key=lambda agent: agent.name)
    wire: dict[str, Any] = {
        "version": 1,
        "name": name,
        "namespace": namespace,
        "agents": [
            entry for agent in served if (entry := _agent_entry(agent, resolver, instructions or {})) is not None
        ],
    }
    known = {server.name: server for server in mcp_servers}
    if servers := _mcp_entries(served, known, resolver, mcp_urls or {}):
        wire["mcpServers"] = servers
    if connection := _temporal_entry(worker.temporal, temporal, resolver, f"WorkerPool/{name}"):
        wire["temporal"] = connection
    if functions := _functions_entry(worker, functions_folder, python_path):
        wire["functions"] = functions
    if worker.max_concurrent_calls is not None:
        wire["maxConcurrentCalls"] = worker.max_concurrent_calls
    wire["gracefulShutdown"] = worker.graceful_shutdown
    if http_port is not None:
        wire["http"] = {"port": http_port}
    if version is not None:
        wire["versioning"] = version.to_wire()
    if secrets := _secret_entries(wire):
        wire["secrets"] = secrets
    return RenderedWorker(WorkerConfig.model_validate(wire), tuple(resolver.missing))


class _Resolver:
    """Looks up what manifests refer to, and notes what is not there."""

    def __init__(self, config_maps: ConfigMaps) -> None:
        self._config_maps = config_maps
        self.missing: list[Missing] = []

    def read(self, ref: Mapping[str, Any], used_by: str) -> str | None:
        """The value of a key of a ConfigMap; None, and noted unless it is optional, if it is not there."""
        data = self._config_maps.get(ref["name"])
        value = None if data is None else data.get(ref["key"])
        if value is None and not ref.get("optional"):
            self.note("ConfigMap", ref["name"], used_by, None if data is None else ref["key"])
        return value

    def note(self, kind: str, name: str, used_by: str, key: str | None = None) -> None:
        """Remember that something is not there."""
        missing = Missing(kind, name, key, used_by)
        if missing not in self.missing:
            self.missing.append(missing)

    def inline(self, items: list[dict[str, Any]], used_by: str) -> list[dict[str, Any]]:
        """Headers or variables with the values of ConfigMaps written into them."""
        result = []
        for item in items:
            ref = item.get("valueFrom", {}).get("configMapKeyRef")
            if ref is None:
                result.append(item)
            elif (value := self.read(ref, used_by)) is not None:
                result.append({"name": item["name"], "value": value})
        return result

    def certificate(self, authority: dict[str, Any], used_by: str) -> dict[str, Any] | None:
        """Whom to trust, with the text of a ConfigMap written into it."""
        ref = authority.get("configMapKeyRef")
        if ref is None:
            return authority
        text = self.read(ref, used_by)
        return None if text is None else {"pem": text}


def _agent_entry(agent: Agent, resolver: _Resolver, instructions: Mapping[str, str]) -> dict[str, Any] | None:
    used_by = f"Agent/{agent.name}"
    spec = agent.spec.to_wire()
    for cluster_only in ("worker", "workerPoolRef"):
        spec.pop(cluster_only, None)
    source = spec.pop("instructionsFrom", None)
    if source is not None:
        if "file" in source:
            text = instructions.get(agent.name)
            if text is None:
                resolver.note("File", source["file"], used_by)
        else:
            text = resolver.read(source["configMapKeyRef"], used_by)
        if text is None:
            return None
        spec["instructions"] = text
    if headers := spec["model"].get("headers"):
        spec["model"]["headers"] = resolver.inline(headers, used_by)
    return {"name": agent.name, "taskQueue": task_queue_of(agent.namespace, agent.name), "spec": spec}


def _mcp_entries(
    agents: list[Agent], known: Mapping[str, MCPServer], resolver: _Resolver, urls: Mapping[str, str]
) -> list[dict[str, Any]]:
    used: dict[str, str] = {}
    for agent in agents:
        for tool in agent.spec.tools:
            if tool.mcp is not None:
                used.setdefault(tool.mcp.server_ref.name, f"Agent/{agent.name}")
    entries = []
    for name, used_by in sorted(used.items()):
        server = known.get(name)
        if server is None:
            resolver.note("MCPServer", name, used_by)
        elif (entry := _mcp_entry(server, resolver, urls.get(name))) is None:
            resolver.note("MCPServer", name, used_by, "url")
        else:
            entries.append(entry)
    return entries


def _mcp_entry(server: MCPServer, resolver: _Resolver, url: str | None) -> dict[str, Any] | None:
    used_by = f"MCPServer/{server.name}"
    spec = server.spec.to_wire()
    entry: dict[str, Any] = {"name": server.name}
    entry.update({name: spec[name] for name in ("discovery", "tools", "timeout") if name in spec})
    if (remote := spec.get("remote")) is not None:
        entry["url"] = remote["url"]
        if "transport" in remote:
            entry["transport"] = remote["transport"]
        if headers := remote.get("headers"):
            entry["headers"] = resolver.inline(headers, used_by)
        if tls := remote.get("tls"):
            entry["tls"] = _tls_entry(tls, resolver, used_by)
        return entry
    managed = spec["managed"]
    if url is not None:
        entry["url"] = url
        if managed.get("transport") == "SSE":
            entry["transport"] = "SSE"
        return entry
    if managed.get("transport", "Stdio") != "Stdio":
        return None
    entry["command"] = managed["command"]
    if args := managed.get("args"):
        entry["args"] = args
    if env := managed.get("env"):
        entry["env"] = resolver.inline(env, used_by)
    return entry


def _tls_entry(tls: Mapping[str, Any], resolver: _Resolver, used_by: str) -> dict[str, Any]:
    entry = {name: tls[name] for name in ("serverName", "insecureSkipVerify") if name in tls}
    if (authority := tls.get("caCert")) is not None:
        certificate = resolver.certificate(authority, used_by)
        if certificate is not None:
            entry["caCert"] = certificate
    if (client := tls.get("clientCertSecretRef")) is not None:
        # The keys that Secrets of type kubernetes.io/tls have.
        entry["clientCert"] = {"name": client["name"], "key": "tls.crt"}
        entry["clientKey"] = {"name": client["name"], "key": "tls.key"}
    return entry


def _temporal_entry(
    own: TemporalConnection | None, default: TemporalConnection | None, resolver: _Resolver, used_by: str
) -> dict[str, Any]:
    """The pool's own connection. What it leaves out is the default's, but a login is for one address alone."""
    given = {} if own is None else own.to_wire()
    fallback = {} if default is None else default.to_wire()
    if given.get("address") not in (None, fallback.get("address")):
        fallback = {name: value for name, value in fallback.items() if name == "namespace"}
    if given.keys() & {"tls", "apiKey"}:
        fallback = {name: value for name, value in fallback.items() if name not in ("tls", "apiKey")}
    entry = fallback | given
    if (tls := entry.get("tls")) is not None:
        entry["tls"] = _tls_entry(tls, resolver, used_by)
    return entry


def _functions_entry(worker: WorkerSpec, folder: str | None, python_path: Sequence[str]) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    if worker.functions is not None:
        if worker.functions.modules:
            entry["modules"] = list(worker.functions.modules)
        if worker.functions.config_map_ref is not None and folder is not None:
            entry["folder"] = folder
    if python_path:
        entry["pythonPath"] = list(python_path)
    return entry


def _secret_entries(wire: Any) -> list[dict[str, Any]]:
    """An entry for each key of a Secret that the file refers to."""
    found: dict[tuple[str, str], bool] = {}
    _collect_secrets(wire, found)
    entries: list[dict[str, Any]] = []
    for (name, key), optional in sorted(found.items()):
        entry: dict[str, Any] = {"name": name, "key": key, "env": secret_env_name(name, key)}
        if optional:
            entry["optional"] = True
        entries.append(entry)
    return entries


#: The fields whose value is a reference to a key of a Secret.
_SECRET_FIELDS = ("secretKeyRef", "clientCert", "clientKey")
#: The fields whose value is the user's own data, in which nothing is a reference.
_DATA_FIELDS = ("contextVariables", "outputSchema", "parameters")


def _collect_secrets(value: Any, found: dict[tuple[str, str], bool]) -> None:
    if isinstance(value, list):
        for item in value:
            _collect_secrets(item, found)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name in _SECRET_FIELDS:
                key = (item["name"], item["key"])
                found[key] = found.get(key, True) and bool(item.get("optional"))
            elif name not in _DATA_FIELDS:
                _collect_secrets(item, found)
