"""Worker processes: started ahead, made a worker, heard, ended."""

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
from typing import TYPE_CHECKING, Any, Final

from rojak.laptop.board import Board

if TYPE_CHECKING:  # a process is in reserve before anything else is imported
    from rojak.laptop.plan import PoolPlan

#: Seconds between two looks whether a worker takes work.
_LOOK: Final = 0.05
#: Seconds that a worker may take to take work.
START_TIMEOUT: Final = 60.0
#: Seconds that a worker has to end when everything ends.
STOP_GRACE: Final = 4.0
#: Log lines that say what the board shows anyway.
_KNOWN: Final = re.compile(
    r"^(pool .* serves |ready: all|not ready: |told to stop|stopped$|MCP server .* is connected)"
)


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
        async with asyncio.timeout(START_TIMEOUT):
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
    """

    def __init__(self, board: Board, folder: Path) -> None:
        self._board, self.folder = board, folder
        # Which Temporal a worker talks to is said with its order; what the environment says may be another one.
        environ = {name: value for name, value in child_environ().items() if not name.startswith("TEMPORAL_")}
        self._environ = {**environ, "PYTHONUNBUFFERED": "1"}
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


def child_environ() -> dict[str, str]:
    """Of programs that are started: ours, and ``python`` of a command is the Python that runs Rojak."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path}


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
