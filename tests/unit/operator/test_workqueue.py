"""The work queue's rules, by a clock that the test holds."""

from __future__ import annotations

import asyncio

import pytest

from rojak_operator.resources import Key
from rojak_operator.workqueue import FIRST_DELAY, LAST_DELAY, Done, RetryLater, Runner, WorkQueue

A, B = Key("Agent", "ns", "a"), Key("Agent", "ns", "b")


def certain() -> WorkQueue:
    return WorkQueue(jitter=lambda: 1.0)


def test_a_key_that_is_added_twice_is_worked_on_once() -> None:
    queue = certain()
    queue.add(A, 0)
    queue.add(A, 1)
    assert queue.take(2) == (A, 2)
    assert queue.take(2) is None


def test_a_key_that_is_added_while_it_is_worked_on_comes_once_more_and_never_twice_at_a_time() -> None:
    queue = certain()
    queue.add(A, 0)
    queue.take(0)
    queue.add(A, 1)
    queue.add(B, 1)
    assert queue.take(1) == (B, 0)
    assert queue.take(1) is None
    queue.finish(A, 2)
    assert queue.take(2) == (A, 1)


def test_a_failure_waits_longer_each_time_up_to_a_limit_and_success_forgets_it() -> None:
    queue = certain()
    now, delays = 0.0, []
    queue.add(A, now)
    for _ in range(12):
        assert queue.take(now) is not None
        delays.append(queue.fail(A, now))
        now += delays[-1]
    assert delays[:3] == [FIRST_DELAY, 2 * FIRST_DELAY, 4 * FIRST_DELAY]
    assert delays[-1] == LAST_DELAY
    queue.take(now)
    queue.finish(A, now)
    queue.add(A, now)
    queue.take(now)
    assert queue.fail(A, now) == FIRST_DELAY


def test_chance_spreads_the_back_off_by_half() -> None:
    least, most = WorkQueue(jitter=lambda: 0.0), WorkQueue(jitter=lambda: 1.0)
    assert least.fail(A, 0) == most.fail(A, 0) / 2


def test_of_two_times_the_earlier_one_counts() -> None:
    queue = certain()
    queue.add_after(A, 10, 0)
    queue.add_after(A, 5, 0)
    queue.add_after(A, 20, 0)
    assert queue.until_next(0) == 5
    assert queue.take(4) is None
    assert queue.take(5) == (A, 0)
    queue.finish(A, 6)
    assert queue.until_next(6) is None


def test_working_on_it_makes_the_planned_time_void() -> None:
    queue = certain()
    queue.add_after(A, 10, 0)
    queue.add(A, 1)
    queue.take(1)
    queue.finish(A, 1, requeue_after=100)
    assert queue.take(10) is None
    assert queue.take(101) is not None


def test_what_is_asked_for_during_the_work_is_not_void_with_its_end() -> None:
    queue = certain()
    queue.add(A, 0)
    queue.take(0)
    queue.add_after(A, 0.2, 0)
    queue.finish(A, 0.1, requeue_after=600)
    assert queue.take(0.2) == (A, 0)
    queue.add_after(A, 0.2, 0.2)
    assert queue.fail(A, 0.3) == FIRST_DELAY
    assert queue.take(0.5) is not None
    queue.finish(A, 0.5)
    assert queue.until_next(0.5) is None


def test_the_oldest_wait_is_known() -> None:
    queue = certain()
    assert queue.oldest(5) == 0
    queue.add(A, 1)
    queue.add(B, 3)
    assert queue.oldest(5) == 4


async def test_workers_retry_requeue_and_survive_errors() -> None:
    seen: list[Key] = []
    all_done = asyncio.Event()
    results: list[str] = []

    class Observer:
        def worked(self, key: Key, *, waited: float, took: float, result: str) -> None:
            results.append(result)

    async def reconcile(key: Key) -> Done:
        seen.append(key)
        if len(seen) == 1:
            raise RetryLater("not yet", after=0.01)
        if len(seen) == 2:
            raise ValueError("a bug")
        if len(seen) == 3:
            return Done(requeue_after=0.01)
        all_done.set()
        return Done()

    runner = Runner(reconcile, workers=2, observer=Observer())
    task = asyncio.create_task(runner.run())
    try:
        runner.add(A)
        await asyncio.wait_for(all_done.wait(), 20)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert seen == [A] * 4
    assert results[:3] == ["retry", "error", "success"]


async def test_one_key_never_runs_twice_at_a_time_however_many_workers() -> None:
    running = 0
    most = 0
    count = 0
    done = asyncio.Event()

    async def reconcile(key: Key) -> Done:
        nonlocal running, most, count
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        runner.add(A)
        await asyncio.sleep(0)
        running -= 1
        count += 1
        if count == 20:
            done.set()
        return Done()

    runner = Runner(reconcile, workers=8)
    task = asyncio.create_task(runner.run())
    try:
        runner.add(A)
        await asyncio.wait_for(done.wait(), 20)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert most == 1


@pytest.mark.parametrize("workers", [1, 8])
async def test_different_keys_share_the_workers(workers: int) -> None:
    inside = asyncio.Semaphore(0)
    go = asyncio.Event()

    async def reconcile(key: Key) -> Done:
        inside.release()
        await go.wait()
        return Done()

    runner = Runner(reconcile, workers=workers)
    task = asyncio.create_task(runner.run())
    try:
        for number in range(20):
            runner.add(Key("Agent", "ns", str(number)))
        for _ in range(workers):
            await asyncio.wait_for(inside.acquire(), 20)
        assert len(runner.queue) == 20 - workers
    finally:
        go.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
