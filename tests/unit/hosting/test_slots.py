"""Places for calls that the workers of a process share."""

from __future__ import annotations

import asyncio
import random

import pytest

from rojak.hosting.slots import LEFT_TO_OTHERS, CallSlots, Place


def take(slots: CallSlots, queue: str) -> Place | None:
    return slots.take(queue, to_wait=False)


def test_each_queue_has_a_place_of_its_own_and_the_others_are_shared() -> None:
    slots = CallSlots(4, ["a", "b"])
    places = [take(slots, "a") for _ in range(4)]
    assert [place is not None for place in places] == [True, True, True, False]
    others = [take(slots, "b") for _ in range(2)]
    assert [place is not None for place in others] == [True, False]
    assert slots.taken == 4
    for place in places:
        if place is not None:
            place.give_back()
            place.give_back()
    assert slots.taken == 1


def test_with_less_places_than_queues_each_has_one() -> None:
    slots = CallSlots(1, ["a", "b"])
    places = [take(slots, queue) for queue in ("a", "b", "a", "b")]
    assert [place is not None for place in places] == [True, True, False, False]


async def test_who_waits_for_work_takes_one_place_until_there_is_some() -> None:
    slots = CallSlots(10, ["a", "b"])
    first = await slots.wait("a")
    second = asyncio.create_task(slots.wait("a"))
    await asyncio.sleep(0)
    assert slots.taken == 1
    first.begin()
    assert (await second).task_queue == "a"
    assert slots.taken == 2


async def test_many_may_wait_for_work_while_there_is_plenty_of_room() -> None:
    slots = CallSlots(2 + 4 * LEFT_TO_OTHERS, ["a", "b"])
    waiting = [slots.take("a", to_wait=True) for _ in range(100)]
    assert sum(place is not None for place in waiting) == 1 + 2 * LEFT_TO_OTHERS


async def test_places_go_to_those_who_asked_first() -> None:
    slots = CallSlots(3, ["a", "b"])
    held = []
    for queue in ("a", "a", "b"):
        held.append(await slots.wait(queue))
        held[-1].begin()
    order: list[str] = []

    async def ask(queue: str) -> None:
        place = await slots.wait(queue)
        order.append(queue)
        place.begin()

    places = [asyncio.create_task(ask(queue)) for queue in ("b", "a")]
    await asyncio.sleep(0)
    assert order == []
    # A place that was forgotten is free.
    held.clear()
    await asyncio.gather(*places)
    assert order[0] == "b"


async def test_what_is_given_to_somebody_who_has_gone_is_given_back() -> None:
    slots = CallSlots(2, ["a", "b"])
    place = await slots.wait("a")
    place.begin()
    for gone_first in (True, False):
        asking = asyncio.create_task(slots.wait("a"))
        await asyncio.sleep(0)
        if gone_first:
            asking.cancel()
            place.give_back()
        else:
            place.give_back()
            # It has the place, and does not know yet.
            await asyncio.sleep(0)
            asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert slots.taken == 0
        place = await slots.wait("a")
        place.begin()


async def test_places_are_never_too_many_and_never_lost() -> None:
    chance = random.Random(7)
    slots = CallSlots(5, ["a", "b", "c"])
    running = most = done = 0

    async def work(queue: str) -> None:
        nonlocal running, most, done
        asking = asyncio.create_task(slots.wait(queue))
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        if chance.random() < 0.3:
            asking.cancel()
        try:
            place = await asking
        except asyncio.CancelledError:
            done += 1
            return
        running += 1
        most = max(most, slots.taken)
        place.begin()
        await asyncio.to_thread(chance.random)
        running -= 1
        done += 1
        await asyncio.to_thread(place.give_back)

    async with asyncio.timeout(60):
        await asyncio.gather(*(work(chance.choice("abc")) for _ in range(300)))
    assert (running, done, slots.taken) == (0, 300, 0)
    assert most == 5
