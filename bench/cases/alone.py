"""One run of model, tool, model on an idle server: how long a single user waits."""

from __future__ import annotations

import time
from statistics import median

from bench.cases.bursts import burst
from bench.figures import Figures, Metric, at_most
from bench.lab import Lab
from bench.processes import Child
from bench.sides import make_asker

METRICS = [
    Metric("one_process", "one run alone, worker and client in one process", "ms", at_most(100), 0),
    Metric("two_processes", "  worker and client in a process each", "ms", None, 0),
]

_WARM_UP = 5


async def measure(lab: Lab, figures: Figures) -> None:
    """The median of each repetition, after a warm-up."""
    runs = lab.plan.pick(20, 10)
    for side in lab.turns():
        lab.step(f"one run alone, in one process: {side}")
        alone = Child("bench.one_process", side, lab.address, lab.name(side), lab.model_url, str(_WARM_UP + runs))
        await alone.spawn()
        try:
            taken = [float(line) for line in (await alone.output()).split()]
        finally:
            await alone.stop()
        figures.add(side, "one_process", median(taken[_WARM_UP:]))
    for side in lab.turns():
        lab.step(f"one run alone, in two processes: {side}")
        async with lab.worker(side) as (_, task_queue):
            asker = make_asker(side, lab.client, task_queue)
            await burst(asker, lab.name(side), _WARM_UP, at_once=1)
            taken = []
            for _ in range(runs):
                start = time.perf_counter()
                await burst(asker, lab.name(side), 1, at_once=1)
                taken.append((time.perf_counter() - start) * 1000)
        figures.add(side, "two_processes", median(taken))
