"""Threads for sync functions: as many as there are calls, used again, never in the way."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import pytest

from rojak.tools.threads import Raised, ToolThreads, run_in_thread

pytestmark = pytest.mark.timeout(20)


def test_an_idle_thread_is_used_again():
    threads = ToolThreads()
    names = set()
    for _ in range(20):
        names.add(threads.submit(lambda: threading.current_thread().name).result(5))
        # The result is out a moment before its thread is back.
        while not threads._idle:
            pass
    assert len(names) == 1
    threads.shutdown()


def test_a_thread_without_work_goes():
    threads = ToolThreads(idle_seconds=0.01)
    thread = threads.submit(threading.current_thread).result(5)
    thread.join(5)
    assert not thread.is_alive()
    assert threads.submit(lambda: 1).result(5) == 1
    threads.shutdown()


def test_shutting_down_lets_idle_threads_go_and_takes_no_more():
    threads = ToolThreads()
    entered, release = threading.Event(), threading.Event()

    def work():
        entered.set()
        release.wait(10)
        return threading.current_thread()

    busy = threads.submit(work)
    entered.wait(5)
    threads.shutdown()
    with pytest.raises(RuntimeError, match="shut down"):
        threads.submit(lambda: None)
    release.set()
    thread = busy.result(5)
    thread.join(5)
    assert not thread.is_alive()


def test_an_exception_reaches_who_waits():
    threads = ToolThreads()
    with pytest.raises(KeyError, match="x"):
        threads.submit({}.__getitem__, "x").result(5)
    threads.shutdown()


def test_an_idle_thread_keeps_nothing_of_its_last_call():
    class Large:
        pass

    threads = ToolThreads()
    large = Large()
    gone = weakref.ref(large)
    threads.submit(lambda thing: None, large).result(5)
    del large
    while not threads._idle:
        pass
    gc.collect()
    assert gone() is None
    threads.shutdown()


def test_jobs_that_come_as_threads_go_are_all_done():
    threads = ToolThreads(idle_seconds=0)
    for n in range(300):
        assert threads.submit(lambda n=n: n).result(5) == n
    threads.shutdown()


async def test_what_cannot_cross_a_future_arrives_as_a_value():
    def stop():
        raise StopIteration

    assert isinstance(await run_in_thread(stop), Raised)


async def test_a_wait_that_is_cancelled_leaves_the_thread_to_itself():
    entered, release, done = threading.Event(), threading.Event(), threading.Event()

    def work():
        entered.set()
        release.wait(10)
        done.set()

    wait = asyncio.create_task(run_in_thread(work))
    await asyncio.to_thread(entered.wait, 5)
    wait.cancel()
    with pytest.raises(asyncio.CancelledError):
        await wait
    assert not done.is_set()
    release.set()
    assert await asyncio.to_thread(done.wait, 5)
