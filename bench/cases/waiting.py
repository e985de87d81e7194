"""Work that waits: tools that take their time side by side, and a slow model."""

from __future__ import annotations

import time
from statistics import median

from bench.cases.bursts import burst
from bench.figures import Figures, Metric, at_most
from bench.lab import Lab
from bench.sides import Asker, SideName, make_asker

METRICS = [
    Metric("slow", "8 parallel tools of 0.5 s, async", "s", at_most(0.75), 2),
    Metric("blocking", "  sync", "s", at_most(0.75), 2),
    Metric("slow_model", "100 runs of a model call that takes 2 s, one worker", "s", at_most(5.0), 2),
    Metric("slow_model_twice", "  of model, tool, model: twice 2 s", "s", None, 2),
]


async def measure(lab: Lab, figures: Figures) -> None:
    """On warm workers."""
    for side in lab.turns():
        async with lab.worker(side) as (_, task_queue):
            asker = make_asker(side, lab.client, task_queue)
            await burst(asker, lab.name(side), 20, at_once=10)
            for tool in ("slow", "blocking"):
                lab.step(f"8 parallel tools, {tool}: {side}")
                taken = []
                for _ in range(lab.plan.pick(5, 3)):
                    start = time.perf_counter()
                    answer = await asker.run(lab.name(side), f"tools {tool} 8 0.5")
                    taken.append(time.perf_counter() - start)
                    assert answer == "done", answer
                figures.add(side, tool, median(taken))
            lab.step(f"100 runs, the model takes 2 s: {side}")
            figures.add(side, "slow_model", await _timed_burst(lab, side, asker, "after 2 reply"))
            if not lab.plan.quick:
                figures.add(side, "slow_model_twice", await _timed_burst(lab, side, asker, "after 2 echo"))


async def _timed_burst(lab: Lab, side: SideName, asker: Asker, prompt: str) -> float:
    start = time.perf_counter()
    await burst(asker, lab.name(side), 100, at_once=100, prompt=prompt)
    return time.perf_counter() - start
