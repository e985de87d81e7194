"""The processes of a measurement: started, looked at from outside, and ended by their ids whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Self

import psutil

ROOT = Path(__file__).resolve().parents[1]
#: Seconds in which a process says that it is ready, and in which it ends when asked to.
_START, _STOP = 60.0, 10.0


@contextlib.contextmanager
def byte_code_cache() -> Iterator[None]:
    """Let the processes started meanwhile keep byte code: as in an image, or from the second start on.

    An environment that forbids it (PYTHONDONTWRITEBYTECODE) compiles every module at every start, which takes
    seconds; there it is kept in a temporary folder.
    """
    if not os.environ.get("PYTHONDONTWRITEBYTECODE"):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="rojak-bench-") as folder:
        before = dict(os.environ)
        del os.environ["PYTHONDONTWRITEBYTECODE"]
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


class Child:
    """A Python process of this package, which prints a line as soon as it is ready."""

    def __init__(self, module: str, *args: str) -> None:
        self._command = [sys.executable, "-m", module, *args]
        self._process: asyncio.subprocess.Process | None = None
        self._errors: IO[bytes] | None = None
        #: When it was started, in seconds since the epoch.
        self.started = 0.0
        #: The line that it printed when it was ready.
        self.line = ""

    async def spawn(self) -> Self:
        """Start the process."""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the process has ended
        self.started = time.time()
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=self._errors,
        )
        return self

    async def ready(self) -> Self:
        """Wait until it is ready.

        Raises:
            RuntimeError: it ended instead; with what it wrote to stderr.
        """
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(_START):
            self.line = (await self._process.stdout.readline()).decode().strip()
        if not self.line:
            await self._process.wait()
            raise RuntimeError(f"{' '.join(self._command[1:4])} did not start:\n{self._stderr()}")
        return self

    async def output(self) -> str:
        """Wait until it has ended by itself; what it printed."""
        assert self._process is not None
        out, _ = await self._process.communicate()
        if self._process.returncode != 0:
            raise RuntimeError(f"{' '.join(self._command[1:4])} failed:\n{self._stderr()}")
        return out.decode()

    def resident(self) -> float:
        """Its memory now, in MiB."""
        return float(psutil.Process(self.pid).memory_info().rss) / 2**20

    def peak(self) -> float:
        """The most memory that it had, in MiB; where the system does not tell, what it has now."""
        status = Path(f"/proc/{self.pid}/status")
        if status.exists():
            for line in status.read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return float(line.split()[1]) / 1024
        return self.resident()

    async def kill(self) -> None:
        """SIGKILL, as a machine that fails."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        await self.stop()

    async def stop(self) -> None:
        """End it: politely, then not."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(_STOP):
                    await process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if self._errors is not None:
            self._errors.close()

    @property
    def pid(self) -> int:
        """Its id."""
        assert self._process is not None
        return self._process.pid

    def _stderr(self) -> str:
        if self._errors is None:
            return ""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")[-4000:]

    async def __aenter__(self) -> Self:
        await self.spawn()
        try:
            return await self.ready()
        except BaseException:
            await self.stop()
            raise

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()


def cpu_seconds(pid: int) -> float:
    """The CPU that a process took so far, user and system, its threads included."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)
