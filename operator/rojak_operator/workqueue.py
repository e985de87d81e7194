"""The work queue: which objects to look at, each once, one at a time, later again where that failed.

`WorkQueue` has no loop and no clock of its own, so that its rules are tested as a table; `run_workers` is the loop.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from rojak_operator.resources import Key

logger = logging.getLogger(__name__)

#: Seconds until the first retry; each further one waits twice as long, up to the last figure.
FIRST_DELAY = 1.0
LAST_DELAY = 300.0
#: Seconds that one reconciliation may take. Whatever it calls has shorter limits; this is the net below them.
RECONCILE_TIMEOUT = 120.0


@dataclass(frozen=True)
class Done:
    """How a reconciliation ended well, and in how many seconds the object is to be looked at again, if at all."""

    requeue_after: float | None = None


class RetryLater(Exception):
    """A reconciliation cannot go on now, for a reason that is not an error of ours.

    Attributes:
        after: seconds until the next try; the usual back-off when None.
    """

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


@dataclass
class WorkQueue:
    """Keys to work on.

    A key that is added twice is worked on once; one that is added while it is worked on, once more afterwards.
    ``now`` is seconds from any beginning.
    """

    jitter: Callable[[], float] = random.random
    _ready: deque[Key] = field(default_factory=deque)
    _waiting_since: dict[Key, float] = field(default_factory=dict)
    _in_work: set[Key] = field(default_factory=set)
    _due: dict[Key, float] = field(default_factory=dict)
    _heap: list[tuple[float, Key]] = field(default_factory=list)
    _failures: dict[Key, int] = field(default_factory=dict)

    def __len__(self) -> int:
        """Keys that could be worked on now."""
        return len(self._waiting_since)

    def add(self, key: Key, now: float) -> None:
        """Work on it as soon as may be."""
        if key in self._waiting_since:
            return
        self._waiting_since[key] = now
        if key not in self._in_work:
            self._ready.append(key)

    def add_after(self, key: Key, delay: float, now: float) -> None:
        """Work on it in ``delay`` seconds, or earlier if an earlier time was asked for."""
        due = now + max(0.0, delay)
        if self._due.get(key, due + 1) <= due:
            return
        self._due[key] = due
        heapq.heappush(self._heap, (due, key))

    def take(self, now: float) -> tuple[Key, float] | None:
        """A key to work on and the seconds that it waited, or None. Call `finish` or `fail` when done.

        Earlier requests to look at it later are void then; those that come during the work are not: what they are
        about may have been read already.
        """
        self._wake(now)
        if not self._ready:
            return None
        key = self._ready.popleft()
        self._in_work.add(key)
        self._due.pop(key, None)
        return key, now - self._waiting_since.pop(key)

    def finish(self, key: Key, now: float, requeue_after: float | None = None) -> None:
        """It went well."""
        self._failures.pop(key, None)
        self._release(key)
        if requeue_after is not None:
            self.add_after(key, requeue_after, now)

    def fail(self, key: Key, now: float, after: float | None = None) -> float:
        """It did not; the seconds until the next try."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        # Half of it is chance, so that a thousand that failed together do not come back together.
        backoff = min(FIRST_DELAY * 2.0 ** min(failures, 16), LAST_DELAY) * (0.5 + 0.5 * self.jitter())
        delay = backoff if after is None else after
        self._release(key)
        self.add_after(key, delay, now)
        return delay

    def until_next(self, now: float) -> float | None:
        """Seconds until a delayed key is due; None if none waits."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return max(0.0, self._heap[0][0] - now) if self._heap else None

    def oldest(self, now: float) -> float:
        """Seconds that the key which has waited longest has waited; 0 if none waits."""
        return max((now - since for since in self._waiting_since.values()), default=0.0)

    def _wake(self, now: float) -> None:
        while self._heap and self._heap[0][0] <= now:
            due, key = heapq.heappop(self._heap)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key, now)

    def _release(self, key: Key) -> None:
        self._in_work.discard(key)
        if key in self._waiting_since:
            self._ready.append(key)


class Observer(Protocol):
    """Hears what the workers do."""

    def worked(self, key: Key, *, waited: float, took: float, result: str) -> None:
        """A key was worked on; ``result`` is success, retry or error."""


class Runner:
    """Workers that take keys from a queue until cancelled. ``add`` and ``add_after`` are its door."""

    def __init__(
        self,
        reconcile: Callable[[Key], Awaitable[Done]],
        *,
        workers: int = 8,
        observer: Observer | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.queue = WorkQueue()
        self._reconcile = reconcile
        self._workers = workers
        self._observer = observer
        self._clock = clock
        self._changed = asyncio.Event()

    def add(self, key: Key) -> None:
        """Work on it as soon as may be."""
        self.queue.add(key, self._clock())
        self._changed.set()

    def add_after(self, key: Key, delay: float) -> None:
        """Work on it in ``delay`` seconds."""
        self.queue.add_after(key, delay, self._clock())
        self._changed.set()

    def oldest(self) -> float:
        """Seconds that the key which has waited longest has waited."""
        return self.queue.oldest(self._clock())

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            taken = self.queue.take(self._clock())
            if taken is None:
                await self._sleep()
                continue
            await self._work_on(*taken)

    async def _sleep(self) -> None:
        self._changed.clear()
        try:
            async with asyncio.timeout(self.queue.until_next(self._clock())):
                await self._changed.wait()
        except TimeoutError:
            pass

    async def _work_on(self, key: Key, waited: float) -> None:
        began = self._clock()
        result = "success"
        context = {"kind": key.kind, "namespace": key.namespace, "object": key.name}
        try:
            async with asyncio.timeout(RECONCILE_TIMEOUT):
                done = await self._reconcile(key)
        except RetryLater as reason:
            result = "retry"
            delay = self.queue.fail(key, self._clock(), reason.after)
            logger.info("%s waits %.0f s: %s", key, delay, reason, extra=context)
        except Exception as error:
            result = "error"
            delay = self.queue.fail(key, self._clock())
            logger.exception("%s failed, next try in %.0f s: %s", key, delay, type(error).__name__, extra=context)
        else:
            self.queue.finish(key, self._clock(), done.requeue_after)
        # Others may sleep until a later time than the one that was just asked for.
        self._changed.set()
        if self._observer is not None:
            self._observer.worked(key, waited=waited, took=self._clock() - began, result=result)
