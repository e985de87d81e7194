"""How many calls a process makes at a time, over the workers of all its agents.

A Temporal worker takes a place before it asks for work, and keeps it while it waits: an agent that has nothing to do
holds one. So each agent has a place of its own, and they share the others. Then the limit is never exceeded, no call
waits after Temporal has given it out (its time would run), and a busy agent keeps no quiet one from working.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Collection
from typing import cast

from temporalio.worker import (
    CustomSlotSupplier,
    FixedSizeSlotSupplier,
    SlotMarkUsedContext,
    SlotPermit,
    SlotReleaseContext,
    SlotReserveContext,
    WorkerTuner,
)

#: Shared places that are left to others by an agent that waits for work already.
LEFT_TO_OTHERS = 16
#: What Temporal gives to what is no activity, unless it is told otherwise.
_OTHER_SLOTS = 100


class CallSlots:
    """The places of a process.

    Args:
        limit: how many there are. There are more if there are more task queues, as each has one of its own.
        task_queues: of the workers, each of which gets its `tuner`.
    """

    def __init__(self, limit: int, task_queues: Collection[str]) -> None:
        #: Shared places that nobody has.
        self._free = max(0, limit - len(task_queues))
        self._plenty = max(self._free // 2, LEFT_TO_OTHERS)
        self._held: Counter[str] = Counter()
        self._idle: Counter[str] = Counter()
        #: Who asks for a place, in the order in which they came.
        self._asking: dict[asyncio.Future[Place], str] = {}
        # Temporal's threads give places back, and so may the garbage collector in the middle of this.
        self._lock = threading.RLock()

    def tuner(self, task_queue: str) -> WorkerTuner:
        """For the worker of a task queue."""
        others = FixedSizeSlotSupplier(_OTHER_SLOTS)
        return WorkerTuner.create_composite(
            workflow_supplier=others,
            activity_supplier=_Supplier(self, task_queue),
            local_activity_supplier=others,
            nexus_supplier=others,
        )

    @property
    def taken(self) -> int:
        """How many places workers have, to work or to wait for work."""
        return self._held.total()

    def take(self, task_queue: str, *, to_wait: bool) -> Place | None:
        """A place, if there is one.

        Args:
            task_queue: of the worker.
            to_wait: whether the place is for waiting for work, rather than for work that is there.
        """
        with self._lock:
            if self._held[task_queue]:
                left = self._plenty if to_wait and self._idle[task_queue] else 0
                if self._free <= left:
                    return None
                self._free -= 1
            self._held[task_queue] += 1
            self._idle[task_queue] += 1
            return Place(self, task_queue)

    async def wait(self, task_queue: str) -> Place:
        """A place for waiting for work, as soon as there is one."""
        with self._lock:
            place = self.take(task_queue, to_wait=True)
            if place is not None:
                return place
            asking: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
            self._asking[asking] = task_queue
        try:
            return await asking
        except asyncio.CancelledError:
            if not asking.cancelled() and asking.done():
                asking.result().give_back()
            raise
        finally:
            with self._lock:
                self._asking.pop(asking, None)

    def begin(self, place: Place) -> None:
        """There is work at a place where somebody waited for it."""
        with self._lock:
            if place.is_idle:
                place.is_idle = False
                self._idle[place.task_queue] -= 1
                self._hand_out()

    def take_back(self, place: Place) -> None:
        """A place is free again. Twice is no error."""
        with self._lock:
            if place.is_over:
                return
            place.is_over = True
            self._held[place.task_queue] -= 1
            if self._held[place.task_queue]:
                self._free += 1
            if place.is_idle:
                self._idle[place.task_queue] -= 1
            self._hand_out()

    def _hand_out(self) -> None:
        """Give places to those who may have them now."""
        for asking, task_queue in list(self._asking.items()):
            if asking not in self._asking or (place := self.take(task_queue, to_wait=True)) is None:
                continue
            del self._asking[asking]
            # A loop that is closed has nobody left who waits; the place gives itself back.
            with contextlib.suppress(RuntimeError):
                asking.get_loop().call_soon_threadsafe(_give, asking, place)


class Place(SlotPermit):
    """A place of a worker. One that is forgotten, as Temporal may do when a worker stops, is free again."""

    def __init__(self, slots: CallSlots, task_queue: str) -> None:
        self.task_queue = task_queue
        self.is_idle = True
        self.is_over = False
        self._slots = slots

    def begin(self) -> None:
        """There is work."""
        self._slots.begin(self)

    def give_back(self) -> None:
        """The work is done, or there is none."""
        self._slots.take_back(self)

    def __del__(self) -> None:
        """Give the place back."""
        self._slots.take_back(self)


def _give(asking: asyncio.Future[Place], place: Place) -> None:
    if asking.done():
        place.give_back()
    else:
        asking.set_result(place)


class _Supplier(CustomSlotSupplier):
    """Places for one worker."""

    def __init__(self, slots: CallSlots, task_queue: str) -> None:
        self._slots = slots
        self._task_queue = task_queue

    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:
        return await self._slots.wait(self._task_queue)

    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:
        return self._slots.take(self._task_queue, to_wait=False)

    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:
        cast("Place", ctx.permit).begin()

    def release_slot(self, ctx: SlotReleaseContext) -> None:
        cast("Place", ctx.permit).give_back()
