"""Tells Temporal that an activity lives, so that a dead worker's work goes to another one within seconds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from temporalio import activity

#: Seconds between two heartbeats; a third of the time-out after which a worker counts as dead, or less.
HEARTBEAT_INTERVAL = 1.5


class Heartbeat:
    """Sends heartbeats with the latest details; `report` sends new ones as soon as the interval allows."""

    def __init__(self) -> None:
        self._details: tuple[Any, ...] = ()
        self._changed = asyncio.Event()

    def report(self, details: object) -> None:
        """Make ``details`` visible to whoever describes the workflow. Call it on the activity's event loop."""
        self._details = (details,)
        self._changed.set()

    async def _beat(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_INTERVAL):
                    await self._changed.wait()
            self._changed.clear()
            activity.heartbeat(*self._details)


@contextlib.asynccontextmanager
async def heartbeating() -> AsyncIterator[Heartbeat]:
    """Send heartbeats as long as the block runs. A cancellation of the activity cancels the block."""
    heartbeat = Heartbeat()
    task = asyncio.create_task(heartbeat._beat())
    try:
        yield heartbeat
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
