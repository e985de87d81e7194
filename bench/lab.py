"""The surroundings of a case: one Temporal server, one model server, workers as they are needed."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Self

from temporalio.client import Client

from bench.processes import Child
from bench.sides import SIDES, SideName
from rojak.dev import TemporalServer


@dataclass(frozen=True)
class Plan:
    """How much to measure: repetitions of each side, and whether to keep it short or take the long session in."""

    reps: int = 3
    quick: bool = False
    long: bool = True

    def pick(self, full: int, quick: int) -> int:
        """A number of repetitions, runs or turns."""
        return quick if self.quick else full


class Lab:
    """Has the servers and makes workers; everything that it started ends with it.

    Each case has one of its own, because a server in memory slows down with what it holds.

    Args:
        plan: how much to measure.
        on_step: is told what is measured now.
    """

    client: Client
    address: str
    model_url: str
    server_pid: int

    def __init__(self, plan: Plan, on_step: Callable[[str], None]) -> None:
        self.plan = plan
        self._on_step = on_step
        self._stack = AsyncExitStack()
        self._numbers = itertools.count(1)

    async def __aenter__(self) -> Self:
        try:
            # A server of its own, whatever TEMPORAL_ADDRESS says: its settings and its CPU are part of the figures.
            os.environ.pop("TEMPORAL_ADDRESS", None)
            server = await self._stack.enter_async_context(TemporalServer(headless=True))
            assert server.pid is not None
            self.address, self.server_pid = server.address, server.pid
            model = await self._stack.enter_async_context(Child("bench.model"))
            self.model_url = f"http://127.0.0.1:{model.line}/v1"
            self.client = await Client.connect(self.address)
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    def step(self, text: str) -> None:
        """Say what is measured now."""
        self._on_step(text)

    def turns(self, reps: int | None = None) -> list[SideName]:
        """The sides in the order in which they are measured; every other repetition begins with ours."""
        order: list[SideName] = []
        for number in range(self.plan.reps if reps is None else reps):
            order += SIDES if number % 2 == 0 else SIDES[::-1]
        return order

    def name(self, side: SideName) -> str:
        """A name that nothing else has, for a task queue or a session."""
        return f"{side}-{next(self._numbers)}"

    def new_worker(self, side: SideName, task_queue: str) -> Child:
        """A worker process, not yet started."""
        return Child("bench.worker", side, self.address, task_queue, self.model_url)

    @asynccontextmanager
    async def worker(self, side: SideName) -> AsyncIterator[tuple[Child, str]]:
        """A running worker process and its task queue."""
        task_queue = self.name(side)
        async with self.new_worker(side, task_queue) as child:
            yield child, task_queue
