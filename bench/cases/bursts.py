"""Many stateless runs at once: throughput, the worker's CPU and memory, and what is stored of a run.

Throughput is what neighbours on the machine change most, within seconds. So both workers are there at the same time
and get short rounds by turns, and what counts is the ratio of two rounds that followed on each other.
"""

from __future__ import annotations

import asyncio
import os
import time

from bench.figures import Figures, Metric, at_most, at_most_above_floor, ratio_at_least, ratio_at_most
from bench.histories import Stored, stored_by_run
from bench.lab import Lab
from bench.processes import Child, cpu_seconds
from bench.sides import SIDES, Asker, SideName, make_asker

METRICS = [
    Metric("runs_per_second", "rounds of 100 runs of model, tool, model, 50 at once", "runs/s", ratio_at_least(1.0)),
    Metric("worker_cpu", "  worker CPU a run", "ms", ratio_at_most(1.0)),
    Metric("client_cpu", "  client CPU a run", "ms"),
    Metric("server_cpu", "  server CPU a run", "ms"),
    Metric("worker_peak", "  worker's peak memory", "MiB", at_most_above_floor(30), 0),
    Metric("history_size", "  history of a run", "KB", at_most(4.0), 2),
    Metric("history_events", "  events of a run", "", None, 0),
]

_RUNS = 100
#: Rounds of each side after which its worker's peak memory is taken: it has made 200 runs then.
_PEAK_AFTER = 2


async def measure(lab: Lab, figures: Figures) -> None:
    """Fresh workers of both sides for each repetition, warmed up with 20 runs, then rounds by turns."""
    for _ in range(lab.plan.reps):
        async with lab.worker("floor") as floor, lab.worker("ours") as ours:
            teams = {"floor": _Team(lab, "floor", *floor), "ours": _Team(lab, "ours", *ours)}
            for team in teams.values():
                await burst(team.asker, lab.name(team.side), 20, at_once=10)
            for number in range(1, lab.plan.pick(6, 2) + 1):
                # The first of a pair is each side as often as the other.
                for side in SIDES if number % 2 else SIDES[::-1]:
                    lab.step(f"{_RUNS} runs, 50 at once, round {number}: {side}")
                    await teams[side].make_round(figures)
                    if number == _PEAK_AFTER:
                        figures.add(side, "worker_peak", teams[side].worker.peak())
            for team in teams.values():
                await team.look_at_histories(figures)


class _Team:
    """A side's worker and client."""

    def __init__(self, lab: Lab, side: SideName, worker: Child, task_queue: str) -> None:
        self.side = side
        self.worker = worker
        self.asker = make_asker(side, lab.client, task_queue)
        self._lab = lab
        self._last = ""

    async def make_round(self, figures: Figures) -> None:
        """Make the runs of a round; what they took, in time and CPU."""
        name = self._last = self._lab.name(self.side)
        processes = {"worker": self.worker.pid, "client": os.getpid(), "server": self._lab.server_pid}
        before, start = {key: cpu_seconds(pid) for key, pid in processes.items()}, time.perf_counter()
        await burst(self.asker, name, _RUNS, at_once=50)
        figures.add(self.side, "runs_per_second", _RUNS / (time.perf_counter() - start))
        for key, pid in processes.items():
            figures.add(self.side, f"{key}_cpu", (cpu_seconds(pid) - before[key]) / _RUNS * 1000)

    async def look_at_histories(self, figures: Figures) -> None:
        """What is stored of runs of the last round."""
        stored = Stored(0, 0)
        sample = range(0, _RUNS, _RUNS // 20)
        for number in sample:
            stored += await stored_by_run(self._lab.client, f"{self._last}-{number}")
        figures.add(self.side, "history_size", stored.size / len(sample) / 1000)
        figures.add(self.side, "history_events", stored.events / len(sample))


async def burst(asker: Asker, name: str, runs: int, *, at_once: int, prompt: str = "echo") -> None:
    """Make the runs ``<name>-0`` and so on, and check that each has its own answer."""
    gate = asyncio.Semaphore(at_once)

    async def one(number: int) -> None:
        async with gate:
            word = f"word-{number}"
            answer = await asker.run(f"{name}-{number}", f"{prompt} {word}")
        assert answer == f"done {word}", answer

    async with asyncio.TaskGroup() as tasks:
        for number in range(runs):
            tasks.create_task(one(number))
