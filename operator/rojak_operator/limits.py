"""Not more than so many requests a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class TokenBucket:
    """Lets ``rate`` callers a second pass, and ``burst`` at once after a rest; the others wait in order.

    Args:
        clock: seconds, from any beginning.
    """

    def __init__(self, rate: float, *, burst: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = max(burst, 1.0)
        self._clock = clock
        self._tokens = self._burst
        self._at = clock()

    async def take(self) -> None:
        """Wait for the turn."""
        if wait := self.reserve():
            await asyncio.sleep(wait)

    def reserve(self) -> float:
        """Take a turn, and the seconds until it comes."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        self._tokens -= 1.0
        return max(0.0, -self._tokens / self._rate)
