"""Calls that outlive a restart of the Temporal server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio.client import RPCTimeoutOrCancelledError
from temporalio.service import RPCError

from rojak.client.errors import means_busy, means_unreachable

T = TypeVar("T")

#: Seconds for which a call is made again and again while the server does not answer; then its error is raised.
SERVER_PATIENCE = 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0


async def reconnecting(call: Callable[[], Awaitable[T]], *, or_busy: bool = False) -> T:
    """The result of ``call``, made again while the server is away. It has to be one that may be made twice.

    Args:
        call: makes the call.
        or_busy: make it again while the server asks for patience too, as it does when a session is asked too much.

    Raises:
        RPCError: what the server says, or that it has been away for `SERVER_PATIENCE`.
    """
    loop = asyncio.get_running_loop()
    give_up: float | None = None
    pause = _FIRST_PAUSE
    while True:
        try:
            return await call()
        except (RPCError, RPCTimeoutOrCancelledError) as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                # The SDK reports the cancellation of its caller as an error of its own.
                raise asyncio.CancelledError from error
            give_up = give_up or loop.time() + SERVER_PATIENCE
            is_worth_it = means_unreachable(error) or (or_busy and means_busy(error))
            if not is_worth_it or loop.time() > give_up:
                raise
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
