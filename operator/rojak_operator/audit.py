"""Compares what the watches brought with what there is, so that a watch that is dead but open is noticed.

A connection can stay open and bring nothing; and what is deleted while a watch is broken is never heard of. The
comparison lists names and versions alone, mends the store, and tells health of a watch that stays behind.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable

from rojak_operator.kube import ApiError, Kube
from rojak_operator.metrics import Metrics
from rojak_operator.resources import MANAGED_BY, MANAGED_BY_LABEL, Key, Resource
from rojak_operator.store import Store

logger = logging.getLogger(__name__)

#: Seconds that a watch may be behind before it counts.
GRACE = 5.0
#: So many comparisons in a row that a watch loses make the operator unhealthy.
TOLERATED = 3


class Audit:
    """Compares while `run` runs.

    Args:
        forget: called with key and uid of an object that the store still has and that is gone.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        kube: Kube,
        store: Store,
        metrics: Metrics,
        *,
        forget: Callable[[Key, str], None],
        interval: float,
        namespaces: Iterable[str] = (),
        grace: float = GRACE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._kube = kube
        self._store = store
        self._metrics = metrics
        self._forget = forget
        self._interval = interval
        self._namespaces: list[str | None] = [*namespaces] or [None]
        self._grace = grace
        self._clock = clock
        self._behind: dict[str, int] = {}

    def problems(self) -> list[str]:
        """Which watches are stalled."""
        return [f"the watch of {name} is stalled" for name, times in self._behind.items() if times >= TOLERATED]

    async def run(self, resources: list[Resource]) -> None:
        """Compare every so often, until cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            for resource in resources:
                try:
                    await self.compare(resource)
                except ApiError as error:
                    logger.warning("%s could not be compared: %s", resource.plural, error.reason)

    async def compare(self, resource: Resource) -> bool:
        """Compare one resource. Whether the store is up to date."""
        suspicious = await self._differing(resource)
        if suspicious:
            # What is on its way now will have arrived then.
            await asyncio.sleep(self._grace)
            suspicious &= await self._differing(resource)
        gone = {key for key, version in suspicious if version is None}
        for key in gone:
            logger.warning("%s is gone without its watch having told", key)
            if (stored := self._store.get(key)) is not None:
                self._forget(key, stored.uid)
        if late := len(suspicious) - len(gone):
            self._behind[resource.plural] = self._behind.get(resource.plural, 0) + 1
            logger.warning("the watch of %s is behind by %d objects", resource.plural, late)
            return False
        self._behind.pop(resource.plural, None)
        self._metrics.audited(resource.plural, self._clock())
        return True

    async def _differing(self, resource: Resource) -> set[tuple[Key, str | None]]:
        """Keys whose version in the store is not the one that there is; None: there is none."""
        selector = f"{MANAGED_BY_LABEL}={MANAGED_BY}" if resource.owned else None
        there: dict[Key, str] = {}
        for namespace in self._namespaces:
            there |= await self._kube.versions(resource, namespace, label_selector=selector)
        known = {
            key: stored.resource_version for key in self._store.keys(resource.kind) if (stored := self._store.get(key))
        }
        differing: set[tuple[Key, str | None]] = {
            (key, version) for key, version in there.items() if known.get(key) != version
        }
        return differing | {(key, None) for key in known.keys() - there.keys()}
