"""The time that a turn may take, kept by a durable timer: one for the turn, however many steps it has."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from temporalio import workflow

T = TypeVar("T")


class TimeIsUp(Exception):
    """The work was broken off because the turn's time is over."""


class TurnClock:
    """Breaks off what takes longer than the turn may."""

    def __init__(self) -> None:
        self._deadline: float | None = None
        self._timer: asyncio.Task[None] | None = None

    async def run(self, work: Coroutine[Any, Any, T], deadline: float | None) -> T:
        """The result of ``work``.

        Args:
            work: what to do.
            deadline: when the turn's time is over, in seconds since the epoch; None if never.

        Raises:
            TimeIsUp: it was broken off.
        """
        if deadline is None:
            self.stop()
            return await work
        timer = self._start(deadline)
        task = asyncio.create_task(work)
        try:
            await workflow.wait([task, timer], return_when=asyncio.FIRST_COMPLETED)
        finally:
            # At the deadline, or when the session is cancelled.
            if not task.done():
                task.cancel()
                await workflow.wait([task])
        if task.cancelled():
            raise TimeIsUp
        return task.result()

    def stop(self) -> None:
        """The turn is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._deadline = None

    def _start(self, deadline: float) -> asyncio.Task[None]:
        if self._timer is None or self._deadline != deadline:
            self.stop()
            self._deadline = deadline
            left = max(0.0, deadline - workflow.time())
            self._timer = asyncio.create_task(workflow.sleep(left, summary="run_timeout"))
        return self._timer
