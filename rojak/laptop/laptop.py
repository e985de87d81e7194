"""Follows the files, and keeps everything that they ask for running, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from temporalio.service import RPCError

from rojak.laptop.board import Board
from rojak.laptop.environment import agents_without_key
from rojak.laptop.files import changes_of
from rojak.laptop.options import Options
from rojak.laptop.plan import Plan, PlanError
from rojak.laptop.planner import make_plan
from rojak.laptop.pools import Pool
from rojak.laptop.rounds import Rounds
from rojak.laptop.schedules import ScheduleKeeper
from rojak.laptop.script import Scripts, choose_scripts
from rojak.laptop.secrets import LaptopSecrets, read_env_file
from rojak.laptop.servers import Servers
from rojak.laptop.temporal import Temporal, open_temporal
from rojak.laptop.workers import STOP_GRACE, Launcher, child_environ
from rojak.manifests import Bundle, check_references, read
from rojak.types.errors import RojakError


@dataclass
class _Running:
    """What there is while it runs."""

    temporal: Temporal
    servers: Servers
    schedules: ScheduleKeeper
    scripts: Scripts
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
        folder = self._launcher.folder
        async with contextlib.AsyncExitStack() as stack:
            bundle = self._read()
            scripts = Scripts()
            stack.callback(scripts.stop)
            # What is wrong with the files is said before anything else is started.
            self._make_plan(bundle, scripts, {}, has_attributes=True)
            temporal = await stack.enter_async_context(open_temporal(self._options, folder, self._board))
            running = _Running(
                temporal=temporal,
                servers=Servers(self._board, folder, child_environ()),
                schedules=ScheduleKeeper(temporal.client, self._owner(), self._board),
                scripts=scripts,
            )
            self.is_up = True
            try:
                plan = self._make_plan(bundle, scripts, temporal.environ, temporal.has_attributes)
                await self._apply(running, plan)
                await self._live(running, stop, plan.front)
            finally:
                self._board.stopping = True
                self._board.info("stopping: no new work, then the workers, then Temporal")
                await self._stop(running)
        self._board.info("stopped: nothing that was started here runs any more")

    def _read(self) -> Bundle:
        bundle = read(self._options.paths, namespace=self._options.namespace)
        check_references(bundle)
        if bundle.errors:
            raise PlanError(str(problem) for problem in bundle.errors)
        return bundle

    def _make_plan(self, bundle: Bundle, scripts: Scripts, temporal: Mapping[str, str], has_attributes: bool) -> Plan:
        more = {} if self._options.env_file is None else read_env_file(self._options.env_file)
        secrets = LaptopSecrets(bundle.secrets, os.environ, more)
        wanted = choose_scripts(bundle, agents_without_key(bundle, secrets), self._options.script)
        return make_plan(
            bundle,
            secrets,
            temporal=temporal,
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
                running.pools[name] = Pool(pool_plan, self._launcher, self._board)
        await running.schedules.apply(plan.schedules, plan.orphans)
        await asyncio.gather(*stopping)

    async def _let_go(self, running: _Running, name: str) -> None:
        """Of a pool whose agents are no more."""
        self._board.info(f"{name}: is not among the files any more; its worker ends")
        await running.pools.pop(name).stop(STOP_GRACE)
        self._board.pools.pop(name, None)

    async def _live(self, running: _Running, stop: asyncio.Event, front: str | None) -> None:
        """Follow the files and look after everything until told to stop."""
        rounds = Rounds(running.temporal, running.schedules, running.pools, self._board)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(rounds.go()), group.create_task(self._tell_when_ready(running, front))]
            if self._options.watch:
                tasks.append(group.create_task(self._follow(running)))
            await stop.wait()
            for task in tasks:
                task.cancel()

    async def _tell_when_ready(self, running: _Running, front: str | None) -> None:
        await asyncio.gather(*(pool.first_ready.wait() for pool in running.pools.values()))
        flags = [*running.temporal.flags]
        if self._options.namespace != "default":
            flags += ["-n", self._options.namespace]
        command = " ".join(["rojak chat", front or "", *flags])
        self._board.good(f"ready: {command}" if front else "ready: no agents are among the files")

    async def _follow(self, running: _Running) -> None:
        extra = [path for path in (self._options.env_file, self._options.script) if path is not None]
        async for _ in changes_of([*self._options.paths, *extra]):
            try:
                bundle = self._read()
                temporal = running.temporal
                plan = self._make_plan(bundle, running.scripts, temporal.environ, temporal.has_attributes)
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

    async def _stop(self, running: _Running) -> None:
        try:
            await running.schedules.remove_all()
        except RPCError as error:
            self._board.fail(f"schedules could not be removed from Temporal: {error.message}")
        await asyncio.gather(*(pool.stop(STOP_GRACE) for pool in running.pools.values()))
        await running.servers.stop()


def _shown(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)
