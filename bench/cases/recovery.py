"""Workers that are killed: a run in a model call, and a session that nobody was talking to."""

from __future__ import annotations

import asyncio
import time
import urllib.request

from bench.figures import Figures, Metric, at_most
from bench.lab import Lab
from bench.script import said, say
from bench.sides import SideName, make_asker

METRICS = [
    Metric("killed", "worker killed in a model call and restarted: run done after", "s", at_most(15)),
    Metric("idle", "  next turn of an idle session after", "s", at_most(3), 2),
]


async def measure(lab: Lab, figures: Figures) -> None:
    """Times are from the SIGKILL; another worker process is started at once.

    The floor's run waits for the time-out of its activity, a minute, so it is made once and beside the others.
    """
    floor = None if lab.plan.quick else asyncio.create_task(_kill_in_model_call(lab, "floor"))
    try:
        for number in range(lab.plan.pick(3, 1)):
            lab.step(f"worker killed in a model call: ours, {number + 1}")
            figures.add("ours", "killed", await _kill_in_model_call(lab, "ours"))
        if floor is not None:
            lab.step("worker killed in a model call: floor")
            figures.add("floor", "killed", await floor)
    finally:
        if floor is not None:
            floor.cancel()
            await asyncio.wait({floor})
    for side in lab.turns():
        lab.step(f"worker of an idle session killed: {side}")
        figures.add(side, "idle", await _kill_while_idle(lab, side))


async def _kill_in_model_call(lab: Lab, side: SideName) -> float:
    task_queue, name = lab.name(side), lab.name(side)
    first = lab.new_worker(side, task_queue)
    second = lab.new_worker(side, task_queue)
    try:
        await (await first.spawn()).ready()
        run = asyncio.create_task(make_asker(side, lab.client, task_queue).run(name, f"hang {name}"))
        hung = lab.model_url.replace("/v1", f"/hung/{name}")
        await asyncio.to_thread(lambda: urllib.request.urlopen(hung, timeout=30).close())
        start = time.perf_counter()
        await first.kill()
        await second.spawn()
        answer = await run
        assert answer == f"done {name}", answer
        return time.perf_counter() - start
    finally:
        await first.stop()
        await second.stop()


async def _kill_while_idle(lab: Lab, side: SideName) -> float:
    task_queue, session = lab.name(side), lab.name(side)
    first = lab.new_worker(side, task_queue)
    second = lab.new_worker(side, task_queue)
    asker = make_asker(side, lab.client, task_queue)
    try:
        await (await first.spawn()).ready()
        for number in range(10):
            await asker.turn(session, say(f"turn-{number}", 100))
        start = time.perf_counter()
        await first.kill()
        await second.spawn()
        answer = await asker.turn(session, say("again", 100))
        assert answer == said("again", 100), answer
        return time.perf_counter() - start
    finally:
        await first.stop()
        await second.stop()
