"""Waiting with an end: an answer, an error, or the time-out that the caller chose."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from temporalio.client import Client
from temporalio.service import RPCError

from rojak.client.errors import describe_missing, no_worker
from rojak.client.unserved import Unserved, has_worker
from rojak.types.errors import RunTimeoutError, SessionNotFoundError

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: How often a caller that waits looks whether anybody works.
_LOOK_EVERY = 5.0


async def wait_for(
    work: Coroutine[Any, Any, T],
    *,
    client: Client,
    find_queue: Callable[[], Awaitable[str]],
    find_unserved: Callable[[], Awaitable[Sequence[Unserved]]] | None = None,
    timeout: float | None,
    no_worker_timeout: float | None,
) -> T:
    """The result of ``work``, unless one of the time-outs comes first.

    Args:
        work: what waits for a session.
        client: to ask about the task queue.
        find_queue: gives the task queue where the session's worker should be. Asked only when the answer is late.
        find_unserved: gives the agents that the session waits for and nobody serves. Asked only when the answer is
            late, and the session itself has a worker.
        timeout: seconds to wait in all; None for no limit.
        no_worker_timeout: seconds for which nobody may poll one of the task queues; None does not look.

    Raises:
        RunTimeoutError: ``timeout`` passed.
        NoWorkerError: nobody polled one of the task queues for ``no_worker_timeout``.
    """
    task = asyncio.create_task(work)
    try:
        if no_worker_timeout is None:
            return await _limited(task, timeout)
        return await _limited(_watched(task, client, find_queue, find_unserved, no_worker_timeout), timeout)
    finally:
        await drop(task)


async def drop(task: asyncio.Task[Any]) -> None:
    """End a task whose result nobody wants any more, and let it end quietly."""
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=1)
    if task.done() and not task.cancelled():
        # Looked at, so that asyncio does not report it as overlooked.
        task.exception()


async def first_of(*works: Coroutine[Any, Any, T]) -> T:
    """The result of the one that ends first, or its error; the others are ended."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task in done).result()
    finally:
        for task in tasks:
            await drop(task)


async def _limited(work: Awaitable[T], timeout: float | None) -> T:
    if timeout is None:
        return await work
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            result = await work
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise RunTimeoutError(
            f"no answer within {timeout:g} s; the run goes on, and get_result(id) fetches its answer"
        ) from error
    return result


async def _watched(
    task: asyncio.Future[T],
    client: Client,
    find_queue: Callable[[], Awaitable[str]],
    find_unserved: Callable[[], Awaitable[Sequence[Unserved]]] | None,
    patience: float,
) -> T:
    loop = asyncio.get_running_loop()
    missing: dict[Unserved, float] = {}
    task_queue: str | None = None
    while True:
        done, _ = await asyncio.wait({task}, timeout=min(_LOOK_EVERY, max(patience / 2, 0.1)))
        if done:
            return task.result()
        try:
            task_queue = task_queue or await find_queue()
        except (RPCError, SessionNotFoundError):
            # The work itself will say so.
            continue
        if not await has_worker(client, task_queue):
            found: Sequence[Unserved] = [Unserved(task_queue)]
        else:
            found = [] if find_unserved is None else await find_unserved()
        now = loop.time()
        for unserved in found:
            if unserved not in missing:
                logger.warning("%s; waiting for one", describe_missing(unserved.task_queue, unserved.agent_name))
        missing = {unserved: missing.get(unserved, now) for unserved in found}
        for unserved, since in missing.items():
            if now - since >= patience and not task.done():
                raise no_worker(unserved.task_queue, patience, unserved.agent_name)
