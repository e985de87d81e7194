"""Agents called as tools: 20 at the same time, each with a slow model, against one."""

from __future__ import annotations

import time
from statistics import median

from bench.figures import Figures, Metric, at_most
from bench.lab import Lab
from bench.ours import OurAsker

METRICS = [
    Metric("one", "a run whose agent calls one sub-agent, whose model takes 2 s", "s", None, 2),
    Metric("twenty", "  20 of them at once", "s", None, 2),
    Metric("ratio", "  20 / one", "", at_most(1.25), 2),
    Metric("inner", "  a run with one whose models answer at once", "ms", None, 0),
]

#: What the sub-agents' model takes.
_SECONDS = 2


async def measure(lab: Lab, figures: Figures) -> None:
    """On a warm worker. The floor has no match."""
    for _ in range(lab.plan.reps):
        async with lab.worker("ours") as (_, task_queue):
            asker = OurAsker(lab.client, task_queue)
            for _ in range(3):
                await _timed(lab, asker, 20, 0)
            lab.step("one sub-agent, and 20")
            taken: dict[int, list[float]] = {1: [], 20: []}
            for _ in range(lab.plan.pick(3, 2)):
                for count, times in taken.items():
                    times.append(await _timed(lab, asker, count, _SECONDS))
            inner = [await _timed(lab, asker, 1, 0) for _ in range(10)]
        one, twenty = median(taken[1]), median(taken[20])
        figures.add("ours", "one", one)
        figures.add("ours", "twenty", twenty)
        figures.add("ours", "ratio", twenty / one)
        figures.add("ours", "inner", median(inner) * 1000)


async def _timed(lab: Lab, asker: OurAsker, count: int, seconds: int) -> float:
    start = time.perf_counter()
    answer = await asker.lead(lab.name("ours"), f"agents {count} {seconds}")
    assert answer == "done", answer
    return time.perf_counter() - start
