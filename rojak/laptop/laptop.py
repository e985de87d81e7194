"""Follows the files, and keeps everything that they ask for running, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from temporalio.client import Client
from temporalio.envconfig import ClientConfigProfile
from temporalio.service import RPCError
from watchfiles import Change, awatch

from rojak.dev import TemporalServer
from rojak.dev.server import is_free
from rojak.laptop.board import Board
from rojak.laptop.options import Options
from rojak.laptop.plan import Plan, PlanError
from rojak.laptop.planner import agents_without_key, make_plan
from rojak.laptop.pools import Pool
from rojak.laptop.schedules import ScheduleKeeper
from rojak.laptop.script import Scripts, choose_scripts
from rojak.laptop.secrets import LaptopSecrets, read_env_file
from rojak.laptop.servers import Servers
from rojak.laptop.workers import STOP_GRACE, Launcher, child_environ
from rojak.manifests import Bundle, check_references, read
from rojak.manifests.worker import TemporalConnection
from rojak.types.errors import RojakError
from rojak.worker import register_search_attributes
from rojak.workflows.contracts import STATUS_ATTRIBUTE, WORKFLOW_NAME

PORT: Final = 7233
UI_PORT: Final = 8233
#: Milliseconds that files have to be still before they are read: editors write in several steps.
_STILL: Final = 40
#: Milliseconds until the watch of files says that there is nothing to say.
_TIMEOUT: Final = 300
#: Seconds between two looks at schedules, servers and approvals.
_LOOK: Final = 1.0
_SUFFIXES: Final = (".yaml", ".yml", ".py", ".md", ".txt", ".env")
_LISTED: Final = 5


@dataclass
class _Running:
    """What there is while it runs."""

    client: Client
    connection: TemporalConnection | None
    has_attributes: bool
    launcher: Launcher
    servers: Servers
    schedules: ScheduleKeeper
    scripts: Scripts = field(default_factory=Scripts)
    pools: dict[str, Pool] = field(default_factory=dict)
    said: frozenset[str] = frozenset()


class Laptop:
    """Runs the agents of some manifests on this machine.

    Args:
        options: what was asked for.
        launcher: of worker processes.
        board: what is shown.
    """

    def __init__(self, options: Options, launcher: Launcher, board: Board) -> None:
        self._options, self._launcher, self._board = options, launcher, board
        #: Whether it began; what was started before that has to be ended by cancelling `run`.
        self.is_up = False

    async def run(self, stop: asyncio.Event) -> None:
        """Run until ``stop`` is set; then everything that was started is ended, in order.

        Raises:
            RojakError: it cannot begin: the files are wrong, a Secret is missing, Temporal does not start.
        """
        launcher, folder = self._launcher, self._launcher.folder
        async with contextlib.AsyncExitStack() as stack:
            bundle = self._read()
            scripts = Scripts()
            stack.callback(scripts.stop)
            # What is wrong with the files is said before anything else is started.
            self._make_plan(bundle, scripts, None, has_attributes=True)
            running = await self._start(stack, launcher, folder, scripts)
            self.is_up = True
            try:
                plan = self._make_plan(bundle, scripts, running.connection, running.has_attributes)
                await self._apply(running, plan)
                await self._live(running, stop, plan.front)
            finally:
                self._board.stopping = True
                self._board.info("stopping: no new work, then the workers, then Temporal")
                await self._stop(running)
        self._board.info("stopped: nothing that was started here runs any more")

    async def _start(
        self, stack: contextlib.AsyncExitStack, launcher: Launcher, folder: Path, scripts: Scripts
    ) -> _Running:
        server = self._temporal_server(folder)
        await stack.enter_async_context(server)
        self._board.temporal, self._board.ui = server.address, server.ui_url
        connection: TemporalConnection | None = None
        if self._options.address is None:
            self._board.good(
                f"Temporal runs at {server.address}" + (f", its UI at {server.ui_url}" if server.ui_url else "")
            )
            connection = TemporalConnection(address=server.address, namespace=self._options.temporal_namespace)
            client = await Client.connect(server.address, namespace=self._options.temporal_namespace)
        else:
            if self._options.address != os.environ.get("TEMPORAL_ADDRESS"):
                connection = TemporalConnection(
                    address=self._options.address, namespace=self._options.temporal_namespace
                )
            client = await self._connect()
            self._board.good(f"Temporal is the one at {self._options.address}; it is left as it is at the end")
        return _Running(
            client=client,
            connection=connection,
            has_attributes=await _has_attributes(client),
            launcher=launcher,
            servers=Servers(self._board, folder, child_environ()),
            schedules=ScheduleKeeper(client, self._owner(), self._board),
            scripts=scripts,
        )

    async def _connect(self) -> Client:
        if self._options.address == os.environ.get("TEMPORAL_ADDRESS"):
            options: dict[str, Any] = dict(ClientConfigProfile.load().to_client_connect_config())
            return await Client.connect(**options)
        assert self._options.address is not None
        return await Client.connect(self._options.address, namespace=self._options.temporal_namespace)

    def _temporal_server(self, folder: Path) -> TemporalServer:
        options = self._options
        if options.address is not None:
            return TemporalServer(options.address, namespace=options.temporal_namespace)
        port = PORT if is_free(PORT) else None
        if port is None:
            self._board.warn(
                f"port {PORT} is taken, so that Temporal gets another one; commands find it with --address"
            )
        data = None
        if options.data is not None:
            options.data.mkdir(parents=True, exist_ok=True)
            data = options.data / "temporal.db"
        return TemporalServer(
            port=port,
            db_filename=data,
            ui_port=UI_PORT if is_free(UI_PORT) else None,
            namespace=options.temporal_namespace,
            log_file=folder / "temporal.log",
        )

    def _read(self) -> Bundle:
        bundle = read(self._options.paths, namespace=self._options.namespace)
        check_references(bundle)
        if bundle.errors:
            raise PlanError(str(problem) for problem in bundle.errors)
        return bundle

    def _make_plan(
        self, bundle: Bundle, scripts: Scripts, connection: TemporalConnection | None, has_attributes: bool
    ) -> Plan:
        more = {} if self._options.env_file is None else read_env_file(self._options.env_file)
        secrets = LaptopSecrets(bundle.secrets, os.environ, more)
        wanted = choose_scripts(bundle, agents_without_key(bundle, secrets), self._options.script)
        return make_plan(
            bundle,
            secrets,
            temporal=connection,
            has_attributes=has_attributes,
            script_urls=scripts.play(wanted),
            owner=self._owner(),
        )

    def _owner(self) -> str:
        """By which a later `rojak dev` for the same files finds the schedules that this one made."""
        paths = sorted(str(path.resolve()) for path in self._options.paths)
        digest = hashlib.sha256("\0".join([*paths, self._options.namespace]).encode()).hexdigest()[:12]
        return f"dev:{socket.gethostname()}:{digest}"

    async def _apply(self, running: _Running, plan: Plan) -> None:
        """Make what runs what the plan says; what did not change goes on."""
        self._board.script = ", ".join(_shown(path) for path in running.scripts.paths) if plan.scripted else None
        for note in plan.notes:
            if note not in running.said:
                self._board.warn(note)
        running.said = frozenset(plan.notes)
        if plan.scripted and not running.pools:
            self._board.warn(
                f"no key for {', '.join(plan.scripted)}: a scripted model plays the agents' part, from"
                f" {self._board.script}"
                if self._options.script is None
                else f"a scripted model plays the agents' part, from {self._board.script}"
            )
        await running.servers.apply(plan.servers)
        gone = [name for name in running.pools if name not in plan.pools]
        stopping = [self._let_go(running, name) for name in gone]
        for name, pool_plan in plan.pools.items():
            if name in running.pools:
                running.pools[name].apply(pool_plan)
            else:
                running.pools[name] = Pool(pool_plan, running.launcher, self._board)
        await running.schedules.apply(plan.schedules, plan.orphans)
        await asyncio.gather(*stopping)

    async def _let_go(self, running: _Running, name: str) -> None:
        """Of a pool whose agents are no more."""
        self._board.info(f"{name}: is not among the files any more; its worker ends")
        await running.pools.pop(name).stop(STOP_GRACE)
        self._board.pools.pop(name, None)

    async def _live(self, running: _Running, stop: asyncio.Event, front: str | None) -> None:
        """Follow the files and look after everything until told to stop."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._look(running)), group.create_task(self._tell_when_ready(running, front))]
            if self._options.watch:
                tasks.append(group.create_task(self._follow(running)))
            await stop.wait()
            for task in tasks:
                task.cancel()

    async def _tell_when_ready(self, running: _Running, front: str | None) -> None:
        await asyncio.gather(*(pool.first_ready.wait() for pool in running.pools.values()))
        flags = "" if self._board.temporal.endswith(f":{PORT}") else f" --address {self._board.temporal}"
        if self._options.namespace != "default":
            flags += f" -n {self._options.namespace}"
        self._board.good(f"ready: rojak chat {front}{flags}" if front else "ready: no agents are among the files")

    async def _look(self, running: _Running) -> None:
        while True:
            try:
                await running.schedules.look()
                await self._look_for_approvals(running)
            except RPCError as error:
                self._board.fail(f"Temporal does not answer: {error.message}")
            await self._look_at_servers(running)
            await asyncio.sleep(_LOOK)

    async def _look_for_approvals(self, running: _Running) -> None:
        if not running.has_attributes:
            return
        query = (
            f'WorkflowType = "{WORKFLOW_NAME}" AND ExecutionStatus = "Running"'
            f' AND {STATUS_ATTRIBUTE.name} = "waiting_for_approval"'
        )
        before = self._board.approvals[0]
        count = (await running.client.count_workflows(query)).count
        found = running.client.list_workflows(query, limit=_LISTED)
        ids = [execution.id async for execution in found] if count else []
        self._board.approvals = (count, tuple(ids))
        if count > before:
            self._board.warn(f"{count} waiting for approval: rojak approvals list")

    async def _look_at_servers(self, running: _Running) -> None:
        """Workers know the tools of the MCP servers that their agents use."""
        for name, pool in list(running.pools.items()):
            if pool.process is None or not any(key.startswith(f"{name.split('/')[0]}/") for key in self._board.servers):
                continue
            status = await pool.process.read_status()
            for server, found in status.get("mcpServers", {}).items():
                entry = self._board.servers.get(f"{name.split('/')[0]}/{server}")
                if entry is not None and (news := entry.see(found)):
                    self._board.say(
                        f"MCP server {name.split('/')[0]}/{server}: {news}", "good" if not entry.detail else "warning"
                    )

    async def _follow(self, running: _Running) -> None:
        async for _ in _changes(self._watched(), self._options.paths):
            try:
                bundle = self._read()
                plan = self._make_plan(bundle, running.scripts, running.connection, running.has_attributes)
            except RojakError as error:
                self._complain(str(error).splitlines())
                continue
            except OSError as error:
                self._complain([f"{error.filename}: {error.strerror}"])
                continue
            if self._board.problems:
                self._board.good("the files are right again")
                self._board.problems = ()
            await self._apply(running, plan)

    def _complain(self, problems: list[str]) -> None:
        if tuple(problems) != self._board.problems:
            self._board.problems = tuple(problems)
            for problem in problems:
                self._board.fail(problem)
            self._board.warn("the change is not applied; what runs goes on")

    def _watched(self) -> list[Path]:
        extra = [path for path in (self._options.env_file, self._options.script) if path is not None]
        return [*self._options.paths, *extra]

    async def _stop(self, running: _Running) -> None:
        try:
            await running.schedules.remove_all()
        except RPCError as error:
            self._board.fail(f"schedules could not be removed from Temporal: {error.message}")
        await asyncio.gather(*(pool.stop(STOP_GRACE) for pool in running.pools.values()))
        await running.servers.stop()


async def _changes(watched: Iterable[Path], roots: Iterable[Path]) -> AsyncIterator[None]:
    """Each time that something changed which can matter."""

    def matters(change: Change, name: str) -> bool:
        path = Path(name)
        return path.suffix in _SUFFIXES and not any(part.startswith(".") for part in path.parts[-1:])

    # Of a file its folder is watched: editors replace files, and a watch of the old one would see nothing more.
    folders = {path if path.is_dir() else path.parent for path in watched}
    is_first = True
    async for found in awatch(
        *folders,
        watch_filter=matters,
        debounce=400,
        step=_STILL,
        rust_timeout=_TIMEOUT,
        yield_on_timeout=True,
        raise_interrupt=False,
    ):
        # Now they are watched; what changed since they were read first was not seen.
        if found or is_first:
            yield
        is_first = False


async def _has_attributes(client: Client) -> bool:
    """Whether Temporal knows our search attributes; they are added where that is allowed."""
    await register_search_attributes(client)
    try:
        await client.count_workflows(f'{STATUS_ATTRIBUTE.name} = "active"')
    except RPCError:
        return False
    return True


def _shown(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)
