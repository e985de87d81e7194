"""Worker processes that tests start, kill and start again; every one is ended by its pid."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]


class WorkerProcess:
    """A worker in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    async def kill(self) -> None:
        """SIGKILL: what a node failure or the out-of-memory killer does."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL if that is not enough."""
        if self._process.returncode is None:
            self._process.terminate()
            try:
                async with asyncio.timeout(15):
                    await self._process.wait()
            except TimeoutError:
                await self.kill()


async def start_worker(
    address: str, task_queue: str, base_url: str, *, env: dict[str, str] | None = None, **options: Any
) -> WorkerProcess:
    """Start a worker and return when it takes work."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.session.worker_process",
        address,
        task_queue,
        base_url,
        json.dumps(options),
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdout=asyncio.subprocess.PIPE,
    )
    worker = WorkerProcess(process)
    try:
        async with asyncio.timeout(30):
            assert process.stdout is not None
            assert await process.stdout.readline() == b"polling\n", "the worker process ended before it polled"
    except BaseException:
        await worker.kill()
        raise
    return worker


class Crew:
    """The worker processes of one test."""

    def __init__(self, address: str, task_queue: str, base_url: str, env: dict[str, str]) -> None:
        self._where = (address, task_queue, base_url)
        self._env = env
        self._workers: list[WorkerProcess] = []

    async def hire(self, **options: Any) -> WorkerProcess:
        """Start another worker."""
        worker = await start_worker(*self._where, env=self._env, **options)
        self._workers.append(worker)
        return worker

    async def dismiss(self) -> None:
        """Stop all that are left."""
        await asyncio.gather(*(worker.stop() for worker in self._workers))


@asynccontextmanager
async def crew(address: str, task_queue: str, base_url: str, env: dict[str, str] | None = None) -> AsyncIterator[Crew]:
    """Worker processes that are gone at the end of the block, whatever happened in it."""
    workers = Crew(address, task_queue, base_url, env or {})
    try:
        yield workers
    finally:
        await workers.dismiss()


async def until(condition: Callable[[], bool], *, seconds: float = 20) -> None:
    """Wait for something that another process does and that cannot be awaited, such as a line in a file."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)
