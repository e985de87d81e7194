"""Keeps a worker process running for each pool: replaced without a gap, started again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import Any, Final

from rojak.laptop.board import Board, PoolEntry, State
from rojak.laptop.plan import PoolPlan
from rojak.laptop.workers import START_TIMEOUT, STOP_GRACE, Launcher, WorkerProcess
from rojak.manifests import seconds_of

#: Pauses before the first, second, ... start of a worker that keeps dying, and after how long it counts as well again.
_PAUSES: Final = (0.0, 1.0, 2.0, 4.0, 8.0, 15.0)
_WELL_AFTER: Final = 20.0
#: Seconds within which a worker that was asked to finish takes no new work any more.
_HAND_OVER: Final = 1.0


class Pool:
    """Keeps one pool's worker running, as its plan says.

    Args:
        plan: of the pool.
        launcher: of processes.
        board: what is shown.
    """

    def __init__(self, plan: PoolPlan, launcher: Launcher, board: Board) -> None:
        self._wanted = plan
        self._launcher, self._board = launcher, board
        self.entry = board.pools[plan.name] = PoolEntry(plan.agents, plan.task_queues)
        self._changed = asyncio.Event()
        self._process: WorkerProcess | None = None
        self._good: PoolPlan | None = None
        self._failed = ""
        self._endings: set[asyncio.Task[None]] = set()
        self.first_ready = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    def apply(self, plan: PoolPlan) -> None:
        """From now on the worker is to be this."""
        if plan.digest != self._wanted.digest:
            self._wanted = plan
            self._changed.set()

    @property
    def process(self) -> WorkerProcess | None:
        """The worker that takes work; None while there is none."""
        return self._process

    async def stop(self, grace: float) -> None:
        """End the worker."""
        self._task.cancel()
        await asyncio.wait([self._task])
        self.entry.state = State.DRAINING
        if self._process is not None:
            await self._process.end(grace)
        for ending in list(self._endings):
            ending.cancel()
        if self._endings:
            await asyncio.wait(self._endings)
        self.entry.state, self.entry.pid = State.STOPPED, None

    async def _run(self) -> None:
        deaths = 0
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            began = loop.time()
            if not await self._replace():
                # What it was before goes on, if it was. Else it is tried again, since the reason may be elsewhere.
                await self._wait_for_change(None if self._process else _PAUSES[min(deaths + 1, len(_PAUSES) - 1)])
                deaths += 1
                continue
            assert self._process is not None
            if await self._wait_for_change_or_death():
                continue
            deaths = 0 if loop.time() - began > _WELL_AFTER else deaths + 1
            await self._mourn(_PAUSES[min(deaths - 1, len(_PAUSES) - 1)] if deaths else 0.0)

    async def _replace(self) -> bool:
        """Start a worker that is as it should be; then let go of the one before. Whether that went well."""
        plan, before = self._wanted, self._process
        if before is None and self._good is not None and self._failed == plan.digest:
            # It died after a change that does not work, and goes on as it was before that.
            plan = self._good
        self.entry.agents, self.entry.task_queues = plan.agents, plan.task_queues
        if before is not None:
            self.entry.state = State.RELOADING
        elif self.entry.state is not State.RESTARTING:
            self.entry.state = State.STARTING
        after = await self._launcher.launch(plan)
        try:
            is_ready = await self._is_ready(after)
        except BaseException:
            await after.kill()
            raise
        if not is_ready:
            self._failed = plan.digest
            await self._give_up(after, before)
            return False
        self._process, self._good = after, plan
        self.entry.pid, self.entry.state, self.entry.detail = after.pid, State.UP, ""
        if before is not None:
            await self._let_go(before, seconds_of(plan.config.graceful_shutdown) + STOP_GRACE)
        verb = "serves" if before is None else f"took over from {before.pid}, and serves"
        self._board.good(f"{plan.name}: worker {after.pid} {verb} {', '.join(plan.agents)}")
        self.first_ready.set()
        await self._launcher.prepare()
        return True

    async def _let_go(self, before: WorkerProcess, grace: float) -> None:
        """Ask the worker before to finish, and wait until it takes no new work. What it does may take longer."""
        ending = asyncio.create_task(before.end(grace))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)
        await asyncio.wait([ending], timeout=_HAND_OVER)

    async def _is_ready(self, process: WorkerProcess) -> bool:
        """Whether the worker takes work; no if the plan changes before it does."""
        ready = asyncio.create_task(process.wait_until_ready())
        changed = asyncio.create_task(self._changed.wait())
        try:
            await asyncio.wait([ready, changed], return_when=asyncio.FIRST_COMPLETED)
            return ready.done() and ready.result()
        except TimeoutError:
            return False
        finally:
            for task in (ready, changed):
                task.cancel()
            await asyncio.wait([ready, changed])

    async def _give_up(self, after: WorkerProcess, before: WorkerProcess | None) -> None:
        if after.is_alive:
            if not self._changed.is_set():
                self._board.fail(f"{self._wanted.name}: the worker takes no work within {START_TIMEOUT:g} s")
            await after.kill()
            return
        await after.wait()
        reason = after.last_words or f"it exited with {after.exit_code}"
        self.entry.detail = reason
        self.entry.state = State.FAILED if before is None else State.UP
        goes_on = "" if before is None else "; the one before goes on"
        if not after.last_words or goes_on:
            self._board.fail(
                f"{self._wanted.name}: the worker does not start{goes_on}" + ("" if after.last_words else f": {reason}")
            )
        await after.kill()
        await self._launcher.prepare()

    async def _wait_for_change(self, seconds: float | None) -> None:
        """Until the plan changes or the worker that goes on dies; at most so long."""
        waits: list[asyncio.Task[Any]] = [asyncio.create_task(self._changed.wait())]
        if self._process is not None:
            waits.append(asyncio.create_task(self._process.wait()))
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()
            await asyncio.wait(waits)
        if self._process is not None and not self._process.is_alive:
            await self._mourn(0.0)

    async def _wait_for_change_or_death(self) -> bool:
        """Whether it is a change that came."""
        assert self._process is not None
        process = self._process
        changed, died = asyncio.create_task(self._changed.wait()), asyncio.create_task(process.wait())
        try:
            await asyncio.wait([changed, died], return_when=asyncio.FIRST_COMPLETED)
            return process.is_alive
        finally:
            for task in (changed, died):
                task.cancel()
            await asyncio.wait([changed, died])

    async def _mourn(self, pause: float) -> None:
        assert self._process is not None
        dead, self._process = self._process, None
        code = dead.exit_code
        how = f"was killed ({signal.Signals(-code).name})" if code is not None and code < 0 else f"exited with {code}"
        self.entry.state, self.entry.pid = State.RESTARTING, None
        self.entry.restarts += 1
        self.entry.detail = f"worker {dead.pid} {how}"
        when = f" in {pause:g} s" if pause else ""
        self._board.warn(f"{self._wanted.name}: worker {dead.pid} {how}; another one starts{when}")
        await dead.kill()
        if pause:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._changed.wait()
