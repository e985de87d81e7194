"""Threads for sync functions.

The standard library's pool does not fit: its size is a limit that a few functions that hang would use up for
good, and the interpreter waits for its threads at exit, so that one such function would keep a worker from
ever stopping. Here a call never waits for a thread (how many calls run at once is the worker's setting), idle
threads are used again, and none keeps the process alive.
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

T = TypeVar("T")

#: Seconds that a thread without work is kept for the next call.
IDLE_SECONDS = 30.0

_Job = tuple[Future[Any], Callable[[], Any]]


class ToolThreads(Executor):
    """An executor that starts a thread for a call when no idle one is left. Its threads are daemons."""

    def __init__(self, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._idle_seconds = idle_seconds
        self._lock = Lock()
        self._idle: list[SimpleQueue[_Job | None]] = []
        self._closed = False
        self._numbers = itertools.count(1)

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Run ``fn(*args, **kwargs)`` in a thread at once.

        Raises:
            RuntimeError: the executor was shut down, or the system has no thread left.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("the threads for tools were shut down")
            inbox = self._idle.pop() if self._idle else None
        if inbox is None:
            inbox = SimpleQueue()
            name = f"rojak-tool-{next(self._numbers)}"
            Thread(target=self._serve, args=(inbox,), name=name, daemon=True).start()
        inbox.put((future, lambda: fn(*args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls and let idle threads go. Running functions are not waited for, whatever ``wait``."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for inbox in idle:
            inbox.put(None)

    def _serve(self, inbox: SimpleQueue[_Job | None]) -> None:
        while (job := self._next_job(inbox)) is not None:
            _do(*job)
            # Nothing of the call may live on in an idle thread.
            del job
            with self._lock:
                if self._closed:
                    return
                self._idle.append(inbox)

    def _next_job(self, inbox: SimpleQueue[_Job | None]) -> _Job | None:
        try:
            return inbox.get(timeout=self._idle_seconds)
        except Empty:
            with self._lock:
                if inbox in self._idle:
                    self._idle.remove(inbox)
                    return None
            # Taken out of the idle ones in this very moment: a job, or the end, is on its way.
            return inbox.get()


def _do(future: Future[Any], work: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits, as in the standard library's executors
        future.set_exception(error)
    else:
        future.set_result(result)


@dataclass(frozen=True, slots=True)
class Raised:
    """What a function raised, as a value: StopIteration and SystemExit cannot cross a future unharmed."""

    error: BaseException


_shared = ToolThreads()


async def run_in_thread(work: Callable[[], T], executor: Executor | None = None) -> T | Raised:
    """The result of ``work``, run in a thread with this task's context variables.

    When the wait is cancelled the thread goes on, since nothing can stop it, and its result is dropped.

    Args:
        work: what to do.
        executor: whose thread does it; None means `ToolThreads` that all calls of this process share.
    """

    def guarded() -> T | Raised:
        try:
            return work()
        except BaseException as error:  # noqa: BLE001 - handed over as a value; see Raised
            return Raised(error)

    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(executor or _shared, context.run, guarded)
