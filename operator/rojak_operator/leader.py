"""Which replica works: the one that holds a Lease.

`judge` is pure and says what a replica may do; `Leadership` does it. A leader that cannot renew its Lease stops before
another one may take it, so that there are never two.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from rojak_operator.kube import ApiError, ConflictError, Kube
from rojak_operator.resources import LEASE

logger = logging.getLogger(__name__)

_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


class Verdict(Enum):
    """What a replica may do about a Lease."""

    CREATE = "create"
    TAKE = "take"
    RENEW = "renew"
    WAIT = "wait"


def judge(lease: Mapping[str, Any] | None, identity: str, *, unchanged_for: float, seconds: float) -> Verdict:
    """What to do.

    Args:
        lease: as it is now; None if there is none.
        identity: of this replica.
        unchanged_for: seconds for which this replica has seen the Lease unchanged, by its own clock: the clocks of
            two nodes may differ.
        seconds: after which a Lease that is not renewed is free.
    """
    if lease is None:
        return Verdict.CREATE
    holder = lease.get("spec", {}).get("holderIdentity")
    if holder == identity:
        return Verdict.RENEW
    if not holder:
        return Verdict.TAKE
    return (
        Verdict.TAKE if unchanged_for >= float(lease["spec"].get("leaseDurationSeconds") or seconds) else Verdict.WAIT
    )


class Leadership:
    """Holds the Lease, or waits for it.

    Args:
        seconds: after which a Lease that is not renewed is free; it is renewed three times as often.
    """

    def __init__(
        self,
        kube: Kube,
        *,
        namespace: str,
        name: str,
        identity: str,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kube = kube
        self._namespace, self._name = namespace, name
        self._identity = identity
        self._seconds = seconds
        self._clock = clock
        self._seen: tuple[str, float] = ("", clock())
        self._renewed = 0.0
        # As we wrote it last, so that a renewal is one request.
        self._held: dict[str, Any] | None = None

    async def acquire(self) -> None:
        """Wait until this replica leads."""
        told = False
        while True:
            try:
                if await self._try():
                    logger.info("this replica leads")
                    return
                if not told:
                    logger.info("another replica leads; this one waits")
                    told = True
            except ApiError as error:
                logger.warning("the lease could not be read or written: %s", error)
            await asyncio.sleep(self._seconds / 5)

    async def hold(self) -> None:
        """Renew the Lease until it is lost; then return."""
        while True:
            await asyncio.sleep(self._seconds / 4)
            try:
                async with asyncio.timeout(self._seconds / 2):
                    if not await self._try():
                        logger.error("another replica took the lease")
                        return
            except (ApiError, TimeoutError) as error:
                logger.warning("the lease could not be renewed: %s", error)
            # Two thirds: whoever waits counts from when it saw the last renewal, which was later than we wrote it.
            if self._clock() - self._renewed > self._seconds * 2 / 3:
                logger.error("the lease could not be renewed in time")
                return

    async def release(self) -> None:
        """Let another replica have it at once."""
        try:
            async with asyncio.timeout(5):
                lease = await self._kube.get(LEASE, self._namespace, self._name)
                if lease is not None and lease["spec"].get("holderIdentity") == self._identity:
                    await self._kube.replace(lease | {"spec": lease["spec"] | {"holderIdentity": ""}})
        except (ApiError, TimeoutError):
            logger.warning("the lease was not released; it will run out")

    async def _try(self) -> bool:
        began = self._clock()
        held, self._held = self._held, None
        lease = held or await self._kube.get(LEASE, self._namespace, self._name)
        version = "" if lease is None else lease["metadata"]["resourceVersion"]
        if version != self._seen[0]:
            self._seen = (version, self._clock())
        unchanged_for = self._clock() - self._seen[1]
        verdict = judge(lease, self._identity, unchanged_for=unchanged_for, seconds=self._seconds)
        try:
            if verdict is Verdict.WAIT:
                return False
            if lease is None:
                self._held = await self._kube.create(self._lease({}, transitions=0, acquired=True))
            else:
                transitions = int(lease["spec"].get("leaseTransitions") or 0)
                taken = verdict is Verdict.TAKE
                wanted = self._lease(lease, transitions=transitions + taken, acquired=taken)
                self._held = await self._kube.replace(lease | wanted)
        except ConflictError:
            # Somebody wrote it in the meantime: look again, at once if we thought that it was ours.
            return await self._try() if held is not None else False
        self._renewed = began
        return True

    def _lease(self, before: Mapping[str, Any], *, transitions: int, acquired: bool) -> dict[str, Any]:
        now = datetime.now(UTC).strftime(_FORMAT)
        spec = {
            **before.get("spec", {}),
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(timedelta(seconds=self._seconds).total_seconds()),
            "renewTime": now,
            "leaseTransitions": transitions,
        }
        if acquired:
            spec["acquireTime"] = now
        metadata = before.get("metadata") or {"name": self._name, "namespace": self._namespace}
        return {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": metadata, "spec": spec}
