"""Worker processes: one for each pool, started ahead, replaced without a gap, started again when they die."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from rojak.laptop.board import Board, PoolEntry, State
from rojak.laptop.plan import PoolPlan
from rojak.manifests import seconds_of

#: Seconds between two looks whether a worker takes work.
_LOOK: Final = 0.05
#: Seconds that a worker may take to take work.
_START_TIMEOUT: Final = 60.0
#: Seconds that a worker has to end when everything ends.
STOP_GRACE: Final = 4.0
#: Pauses before the first, second, ... start of a worker that keeps dying, and after how long it counts as well again.
_PAUSES: Final = (0.0, 1.0, 2.0, 4.0, 8.0, 15.0)
_WELL_AFTER: Final = 20.0
#: Log lines that say what the board shows anyway.
_KNOWN: Final = re.compile(r"^(pool .* serves |ready: all|not ready: |told to stop|stopped$)")


class WorkerProcess:
    """A process of `rojak.laptop.worker_process`: in reserve at first, then a worker."""

    def __init__(self, process: asyncio.subprocess.Process, board: Board) -> None:
        self._process = process
        self._board = board
        self._label = "spare"
        self._port = 0
        self.last_words = ""
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, board: Board, environ: Mapping[str, str]) -> WorkerProcess:
        """Start one in reserve."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "rojak.laptop.worker_process",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environ,
            # Ctrl-C in the terminal is for `rojak dev` alone, and what the worker starts ends with it.
            start_new_session=True,
            limit=2**20,
        )
        return cls(process, board)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process.returncode is None

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.returncode

    async def begin(self, plan: PoolPlan, folder: Path) -> None:
        """Make it a worker.

        Args:
            plan: of its pool.
            folder: where its files are written.
        """
        self._label = plan.name
        self._port = _free_port()
        config = plan.config
        if plan.files:
            functions = folder / f"functions-{self.pid}"
            functions.mkdir()
            for name, text in plan.files.items():
                (functions / name).write_text(text, encoding="utf-8")
            config = config.model_copy(
                update={"functions": config.functions.model_copy(update={"folder": str(functions)})}
            )
        path = folder / f"worker-{self.pid}.json"
        path.write_text(config.to_text(), encoding="utf-8")
        order = {"config": str(path), "port": self._port, "environ": dict(plan.environ)}
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            await self._process.stdin.drain()

    async def wait_until_ready(self) -> bool:
        """Whether it takes work on all of its queues before it ends."""
        async with asyncio.timeout(_START_TIMEOUT):
            while self.is_alive:
                if await self._is_ready():
                    return True
                await asyncio.sleep(_LOOK)
        return False

    async def _is_ready(self) -> bool:
        return (await fetch(self._port, "/readyz"))[0] == 200

    async def read_status(self) -> dict[str, Any]:
        """What the worker says of itself."""
        status, body = await fetch(self._port, "/status")
        return json.loads(body) if status == 200 else {}

    async def wait(self) -> None:
        """Until it has ended, and what it said was read."""
        await self._process.wait()
        with contextlib.suppress(TimeoutError):
            # What it started may still hold its output open.
            async with asyncio.timeout(1):
                await asyncio.shield(self._reading)

    async def end(self, grace: float) -> None:
        """Let it finish what it does, for so many seconds."""
        if self.is_alive:
            self._signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(grace):
                    await self._process.wait()
            except TimeoutError:
                pass
        await self.kill()

    async def kill(self) -> None:
        """End it, and what is left of what it started, at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        await self._process.wait()
        self._reading.cancel()
        await asyncio.wait([self._reading])

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while True:
            try:
                line = await self._process.stdout.readline()
            except ValueError:
                continue  # a line longer than the limit, which nobody would read
            if not line:
                return
            self._tell(line.decode(errors="replace").rstrip())

    def _tell(self, line: str) -> None:
        """Pass on what a person should see: all that functions print, and of the log what is not on the board."""
        try:
            record = json.loads(line)
            level, message = record["level"], record["message"]
        except (ValueError, TypeError, KeyError):
            if line:
                self._board.info(f"{self._label}: {line}")
            return
        if level in ("error", "critical"):
            self.last_words = message
        if _KNOWN.match(message):
            return
        say = {"info": self._board.info, "debug": self._board.info, "warning": self._board.warn}.get(level)
        (say or self._board.fail)(f"{self._label}: {message}")


class Launcher:
    """Has a worker process in reserve, so that the next one is there at once.

    Args:
        board: what is shown.
        folder: for files of workers.
        environ: of the processes.
    """

    def __init__(self, board: Board, folder: Path, environ: Mapping[str, str]) -> None:
        self._board, self.folder, self._environ = board, folder, environ
        self._spare: WorkerProcess | None = None
        self._closed = False

    async def prepare(self) -> None:
        """Have one in reserve."""
        if self._spare is None and not self._closed:
            self._spare = await WorkerProcess.start(self._board, self._environ)

    async def launch(self, plan: PoolPlan) -> WorkerProcess:
        """A worker for the pool, which does not take work yet."""
        process, self._spare = self._spare, None
        if process is None or not process.is_alive:
            process = await WorkerProcess.start(self._board, self._environ)
        await process.begin(plan, self.folder)
        return process

    async def close(self) -> None:
        """End the one in reserve."""
        self._closed = True
        if self._spare is not None:
            await self._spare.kill()


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
        verb = "serves" if before is None else "was replaced, and serves"
        self._board.good(f"{plan.name}: worker {after.pid} {verb} {', '.join(plan.agents)}")
        self.first_ready.set()
        if before is not None:
            ending = asyncio.create_task(before.end(seconds_of(plan.config.graceful_shutdown) + STOP_GRACE))
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)
        await self._launcher.prepare()
        return True

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
                self._board.fail(f"{self._wanted.name}: the worker takes no work within {_START_TIMEOUT:g} s")
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


async def fetch(port: int, path: str) -> tuple[int, bytes]:
    """Ask a worker over HTTP; status 0 if it does not answer."""
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
                answer = await reader.read()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return 0, b""
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(None, 2)
    return (int(words[1]) if len(words) > 1 and words[1].isdigit() else 0), body


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
