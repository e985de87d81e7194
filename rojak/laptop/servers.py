"""MCP servers that listen at a port: programs that `rojak dev` starts, and starts again when they end.

Those that speak over their standard streams are started by the workers of the agents that use them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from rojak.dev.process import ChildProcess
from rojak.dev.server import is_free
from rojak.laptop.board import Board, ServerEntry, State
from rojak.laptop.plan import ServerPlan

_LOOK: Final = 0.2
#: Seconds in which a program that ended, or was told to, may still have the port.
_PORT_PATIENCE: Final = 8.0
_PAUSES: Final = (0.0, 1.0, 2.0, 4.0, 8.0, 15.0)
_WELL_AFTER: Final = 20.0


class Servers:
    """The MCP servers of the files.

    Args:
        board: what is shown.
        folder: for what the programs print.
        environ: of the programs, under their own variables.
    """

    def __init__(self, board: Board, folder: Path, environ: Mapping[str, str]) -> None:
        self._board, self._folder, self._environ = board, folder, environ
        self._running: dict[str, tuple[ServerPlan, asyncio.Task[None]]] = {}

    async def apply(self, plans: Mapping[str, ServerPlan]) -> None:
        """Run these."""
        gone = [name for name, (plan, _) in self._running.items() if plans.get(name) != plan]
        await asyncio.gather(*(self._end(name) for name in gone))
        for name in [name for name in self._board.servers if name not in plans]:
            del self._board.servers[name]
        for name, plan in plans.items():
            where = plan.url or "started by its agents' workers"
            entry = self._board.servers.setdefault(name, ServerEntry(plan.kind, where))
            entry.kind, entry.where = plan.kind, where
            if plan.kind == "http" and name not in self._running:
                self._running[name] = plan, asyncio.create_task(self._run(plan, entry))

    async def stop(self) -> None:
        """End all."""
        await asyncio.gather(*(self._end(name) for name in list(self._running)))

    async def _end(self, name: str) -> None:
        _, task = self._running.pop(name)
        task.cancel()
        await asyncio.wait([task])

    async def _run(self, plan: ServerPlan, entry: ServerEntry) -> None:
        deaths, loop = 0, asyncio.get_running_loop()
        log = self._folder / f"mcp-{plan.name.replace('/', '-')}.log"
        while True:
            await self._wait_for_port(plan, entry)
            began = loop.time()
            try:
                child = await asyncio.to_thread(self._start, plan, log)
            except OSError as error:
                entry.state, entry.detail = State.FAILED, f"{plan.command[0]}: {error.strerror}"
                self._board.fail(f"MCP server {plan.name} cannot be started: {entry.detail}")
                await asyncio.sleep(_PAUSES[-1])
                continue
            entry.pid = child.pid
            try:
                await self._watch(plan, entry, child)
            finally:
                entry.pid = None
                await asyncio.shield(asyncio.to_thread(child.stop))
            deaths = 0 if loop.time() - began > _WELL_AFTER else deaths + 1
            pause = _PAUSES[min(deaths, len(_PAUSES) - 1)]
            entry.state, entry.detail = State.RESTARTING, f"exited with {_how(child, log)}; see {log}"
            self._board.warn(f"MCP server {plan.name} {entry.detail}; another one starts in {pause:g} s")
            await asyncio.sleep(pause)

    async def _wait_for_port(self, plan: ServerPlan, entry: ServerEntry) -> None:
        """Until nobody listens there; else somebody else's program would be taken for the server."""
        port, loop = urlsplit(plan.url or "").port or 0, asyncio.get_running_loop()
        # One that was told to end, also by a `rojak dev` that was killed, may take a moment.
        patience, is_said = loop.time() + _PORT_PATIENCE, False
        while not is_free(port):
            if loop.time() > patience and not is_said:
                is_said, entry.state = True, State.FAILED
                entry.detail = f"port {port} is taken by another program; end it, or set spec.managed.port"
                self._board.fail(f"MCP server {plan.name} waits: {entry.detail}")
            await asyncio.sleep(_LOOK)
        entry.state, entry.detail = State.STARTING, ""

    def _start(self, plan: ServerPlan, log: Path) -> ChildProcess:
        return ChildProcess(plan.command, log, environ={**self._environ, **plan.environ})

    async def _watch(self, plan: ServerPlan, entry: ServerEntry, child: ChildProcess) -> None:
        """Until it ends."""
        # The entry's state does not tell: workers say there what they see, which may be the process before.
        listens = False
        while child.exit_code() is None:
            if not listens and await _listens(plan.url or ""):
                listens, entry.state = True, State.UP
                self._board.good(f"MCP server {plan.name}: process {child.pid} listens at {plan.url}")
            await asyncio.sleep(_LOOK)


def _how(child: ChildProcess, log: Path) -> str:
    """How it ended, with the last that it said if it ended by itself."""
    code = child.exit_code() or 0
    lines = log.read_text(errors="replace")[-2000:].split("\n") if code > 0 and log.exists() else []
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f"{code} ({said[:200]})" if said else str(code)


async def _listens(url: str) -> bool:
    parts = urlsplit(url)
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(1):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.close()
            return True
    return False
