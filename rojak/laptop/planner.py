"""From manifests to what should run on a laptop. Pure: same files, same plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from rojak.laptop.code import code_named_by, digest_of, is_file, python_files
from rojak.laptop.environment import SCRIPT_KEY, SCRIPT_SECRET, Environments
from rojak.laptop.plan import Plan, PlanError, PoolPlan, ServerPlan
from rojak.laptop.secrets import LaptopSecrets
from rojak.manifests import Agent, Bundle, Key, MCPServer, WorkerSpec, schedule_id_of
from rojak.manifests.hashing import hash_of
from rojak.manifests.mcp_server import ManagedServer
from rojak.schedules import DesiredSchedule, render_schedule
from rojak.workerconfig import render_worker_config


def make_plan(
    bundle: Bundle,
    secrets: LaptopSecrets,
    *,
    temporal: Mapping[str, str],
    has_attributes: bool,
    script_urls: Mapping[Key, Mapping[str, str]],
    owner: str,
) -> Plan:
    """The plan.

    Args:
        bundle: the manifests, without errors.
        secrets: where Secrets are.
        temporal: variables that lead workers to Temporal.
        has_attributes: whether Temporal knows our search attributes.
        script_urls: for agents whose model is a script: where it plays, by protocol.
        owner: tells the schedules of these files from others.

    Raises:
        PlanError: something that they need is not there; all of it.
    """
    planner = _Planner(bundle, secrets, temporal, script_urls)
    servers = dict(planner.plan_servers())
    pools = dict(planner.plan_pools(servers))
    schedules: dict[str, DesiredSchedule] = {}
    orphans = set()
    for key, schedule in bundle.schedules.items():
        maps = planner.maps_of(key.namespace)
        desired = render_schedule(schedule, config_maps=maps, has_attributes=has_attributes, cluster=owner)
        schedules[desired.id] = desired
        if schedule.spec.deletion_policy == "Orphan":
            orphans.add(schedule_id_of(schedule.namespace, schedule.name))
    if planner.problems:
        raise PlanError(dict.fromkeys(planner.problems))
    scripted = tuple(key.name for key in script_urls)
    notes = tuple(dict.fromkeys(planner.notes))
    return Plan(pools, servers, schedules, frozenset(orphans), scripted, _front_of(bundle), notes)


def _front_of(bundle: Bundle) -> str | None:
    behind = {schedule.spec.agent_ref.name for schedule in bundle.schedules.values()}
    for agent in bundle.agents.values():
        behind |= {handoff.agent_ref.name for handoff in agent.spec.handoffs}
        behind |= {tool.agent.agent_ref.name for tool in agent.spec.tools if tool.agent is not None}
    names = [key.name for key in bundle.agents]
    return next((name for name in names if name not in behind), names[0] if names else None)


class _Planner:
    """Makes the parts of a plan, and notes what is in the way."""

    def __init__(
        self,
        bundle: Bundle,
        secrets: LaptopSecrets,
        temporal: Mapping[str, str],
        script_urls: Mapping[Key, Mapping[str, str]],
    ) -> None:
        self._bundle = bundle
        self._secrets = secrets
        self._temporal = temporal
        self._script_urls = script_urls
        self.problems: list[str] = []
        self._environments = Environments(bundle, secrets, self.problems)
        self.notes: list[str] = []

    def plan_servers(self) -> Iterator[tuple[str, ServerPlan]]:
        for key, server in self._bundle.mcp_servers.items():
            name = f"{key.namespace}/{key.name}"
            managed = server.spec.managed
            if managed is None:
                assert server.spec.remote is not None
                yield name, ServerPlan(name, "remote", server.spec.remote.url)
            elif managed.command is None:
                self.notes.append(
                    f"MCPServer/{key.name} is an image, and a laptop runs no containers: its tools are missing here;"
                    " give managed.command, which starts it without one"
                )
            elif managed.transport == "Stdio":
                yield name, ServerPlan(name, "stdio", digest=digest_of(code_named_by(self._command(server, managed))))
            else:
                yield name, self._http_server(name, server, managed)

    def _http_server(self, name: str, server: MCPServer, managed: ManagedServer) -> ServerPlan:
        path = managed.path if managed.path.startswith("/") else f"/{managed.path}"
        command = self._command(server, managed)
        environ = self._environments.of_program(
            server.namespace, managed.env, managed.env_from, f"MCPServer/{server.name}"
        )
        digest = hash_of([command, environ, digest_of(code_named_by(command))])
        url = f"http://127.0.0.1:{managed.port}{path}"
        return ServerPlan(name, "http", url, tuple(command), environ, digest)

    def _command(self, server: MCPServer, managed: ManagedServer) -> list[str]:
        """The command; files that are beside the manifest are named so that they are found from anywhere."""
        folder = self._bundle.folder_of(server).resolve()
        words = [*(managed.command or ()), *(managed.args or ())]
        return words[:1] + [str(folder / word) if is_file(folder / word) else word for word in words[1:]]

    def plan_pools(self, servers: Mapping[str, ServerPlan]) -> Iterator[tuple[str, PoolPlan]]:
        groups: dict[tuple[str, str], list[Agent]] = {}
        for agent in self._bundle.agents.values():
            pool = agent.spec.worker_pool_ref
            name = f"{agent.namespace}/{agent.name if pool is None else pool.name}"
            groups.setdefault(("Agent" if pool is None else "WorkerPool", name), []).append(agent)
        for (kind, name), agents in sorted(groups.items()):
            # An Agent may have the name of a pool.
            unique = f"{name} (agent)" if kind == "Agent" and ("WorkerPool", name) in groups else name
            yield unique, self._pool(unique, f"{kind}/{name.split('/')[1]}", agents, servers)

    def _pool(self, name: str, label: str, agents: list[Agent], servers: Mapping[str, ServerPlan]) -> PoolPlan:
        namespace = agents[0].namespace
        worker = self._worker_of(agents[0]) or WorkerSpec()
        if worker.temporal is not None:
            self.notes.append(f"{label}: temporal is left out here; its worker talks to the Temporal of `rojak dev`")
            worker = worker.model_copy(update={"temporal": None})
        if worker.versioning is not None and worker.versioning.mode == "Managed":
            self.notes.append(f"{label}: versioning is for clusters; here workers are replaced in place")
        folders = list(dict.fromkeys(str(self._bundle.folder_of(agent).resolve()) for agent in agents))
        files = self._function_files(namespace, worker, label)
        rendered = render_worker_config(
            name=name.partition("/")[2],
            namespace=namespace,
            agents=[self._located_stores(self._scripted(agent), self._bundle.folder_of(agent)) for agent in agents],
            mcp_servers=[
                self._located(server)
                for key, server in self._bundle.mcp_servers.items()
                if key.namespace == namespace and f"{namespace}/{key.name}" in servers
            ],
            worker=worker,
            config_maps=self.maps_of(namespace),
            instructions={agent.name: text for agent in agents if (text := self._read_instructions(agent)) is not None},
            mcp_urls={key.split("/")[1]: plan.url for key, plan in servers.items() if plan.url and plan.kind == "http"},
            python_path=[*folders, str(Path.cwd())],
        )
        for missing in rendered.missing:
            if missing.kind != "MCPServer":
                key = f" has no key {missing.key!r}" if missing.key else " is not among the files"
                self.problems.append(f"{missing.used_by}: {missing.kind} {missing.name!r}{key}; add it")
        environ = {**self._secrets.more, **self._environments.of_program(namespace, worker.env, worker.env_from, label)}
        environ |= self._environments.of_worker(rendered.config, namespace, label)
        environ |= self._temporal
        used = {tool.mcp.server_ref.name for agent in agents for tool in agent.spec.tools if tool.mcp is not None}
        code = [*(python_files(folders) if _has_functions(agents, worker) else ())]
        codes = [
            digest_of(code),
            *(
                plan.digest
                for key, plan in sorted(servers.items())
                if key.startswith(f"{namespace}/") and key.split("/")[1] in used
            ),
        ]
        return PoolPlan(
            name=name,
            agents=tuple(entry.name for entry in rendered.config.agents),
            task_queues=tuple(entry.task_queue for entry in rendered.config.agents),
            config=rendered.config,
            environ=environ,
            files=files,
            digest=hash_of([rendered.config.to_wire(), environ, dict(files), codes]),
        )

    def _worker_of(self, agent: Agent) -> WorkerSpec | None:
        if agent.spec.worker_pool_ref is None:
            return agent.spec.worker
        pool = self._bundle.worker_pools.get(Key(agent.namespace, agent.spec.worker_pool_ref.name))
        return None if pool is None else pool.spec

    def _scripted(self, agent: Agent) -> Agent:
        """The Agent with the script as its model, if that is what plays."""
        urls = self._script_urls.get(Key(agent.namespace, agent.name))
        if urls is None:
            return agent
        wire = agent.to_wire()
        model = wire["spec"]["model"]
        # Bedrock speaks Anthropic's protocol, but wants AWS' credentials.
        provider = "openai" if model["provider"] == "openai" else "anthropic"
        kept = {name: model[name] for name in ("name", "parameters") if name in model}
        key = {"secretKeyRef": {"name": SCRIPT_SECRET, "key": SCRIPT_KEY}}
        wire["spec"]["model"] = {**kept, "provider": provider, "baseURL": urls[provider], "apiKey": key}
        return Agent.parse(wire)

    def _located_stores(self, agent: Agent, folder: Path) -> Agent:
        """The Agent with the folders of embedded stores beside its manifest."""
        wire = agent.to_wire()
        for tool in wire["spec"].get("tools", ()):
            path = tool.get("retriever", {}).get("qdrant", {}).get("path")
            if path is not None and path != ":memory:":
                tool["retriever"]["qdrant"]["path"] = str(folder.resolve() / path)
        return Agent.parse(wire)

    def _located(self, server: MCPServer) -> MCPServer:
        """The server with a command that is found from anywhere."""
        managed = server.spec.managed
        if managed is None or managed.command is None or managed.transport != "Stdio":
            return server
        wire = server.to_wire()
        words = self._command(server, managed)
        wire["spec"]["managed"] |= {"command": words[:1], "args": words[1:]}
        return MCPServer.parse(wire)

    def _read_instructions(self, agent: Agent) -> str | None:
        source = agent.spec.instructions_from
        if source is None or source.file is None:
            return None
        return (self._bundle.folder_of(agent) / source.file).read_text(encoding="utf-8")

    def _function_files(self, namespace: str, worker: WorkerSpec, label: str) -> Mapping[str, str]:
        if worker.functions is None or worker.functions.config_map_ref is None:
            return {}
        name = worker.functions.config_map_ref.name
        data = self._bundle.config_maps.get(Key(namespace, name))
        if data is None:
            self.problems.append(
                f"{label}: ConfigMap {name!r}, which has its functions, is not among the files; add it"
            )
        return data or {}

    def maps_of(self, namespace: str) -> dict[str, dict[str, str]]:
        """The ConfigMaps of a namespace."""
        return {key.name: data for key, data in self._bundle.config_maps.items() if key.namespace == namespace}


def _has_functions(agents: Iterable[Agent], worker: WorkerSpec) -> bool:
    return worker.functions is not None or any(
        agent.spec.instructions_function is not None
        or any(
            tool.function is not None
            or (tool.retriever is not None and tool.retriever.qdrant.embed_function is not None)
            for tool in agent.spec.tools
        )
        for agent in agents
    )
