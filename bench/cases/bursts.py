"""Many stateless runs at once: throughput, the worker's CPU and memory, and what is stored of a run."""

from __future__ import annotations

import asyncio
import os
import time

from bench.figures import Figures, Metric, at_most, at_most_above_floor, ratio_at_least, ratio_at_most
from bench.histories import Stored, stored_by_run
from bench.lab import Lab
from bench.processes import cpu_seconds
from bench.sides import Asker, make_asker

METRICS = [
    Metric("runs_per_second", "200 runs of model, tool, model, 50 at once", "runs/s", ratio_at_least(1.0)),
    Metric("worker_cpu", "  worker CPU a run", "ms", ratio_at_most(1.0)),
    Metric("client_cpu", "  client CPU a run", "ms"),
    Metric("server_cpu", "  server CPU a run", "ms"),
    Metric("worker_peak", "  worker's peak memory", "MiB", at_most_above_floor(30), 0),
    Metric("history_size", "  history of a run", "KB", at_most(4.0), 2),
    Metric("history_events", "  events of a run", "", None, 0),
]


async def measure(lab: Lab, figures: Figures) -> None:
    """Fresh workers, warmed up with 20 runs."""
    runs = lab.plan.pick(200, 100)
    for side in lab.turns():
        lab.step(f"{runs} runs, 50 at once: {side}")
        async with lab.worker(side) as (worker, task_queue):
            asker = make_asker(side, lab.client, task_queue)
            await burst(asker, lab.name(side), 20, at_once=10)
            name, processes = lab.name(side), {"worker": worker.pid, "client": os.getpid(), "server": lab.server_pid}
            before, start = {key: cpu_seconds(pid) for key, pid in processes.items()}, time.perf_counter()
            await burst(asker, name, runs, at_once=50)
            figures.add(side, "runs_per_second", runs / (time.perf_counter() - start))
            for key, pid in processes.items():
                figures.add(side, f"{key}_cpu", (cpu_seconds(pid) - before[key]) / runs * 1000)
            figures.add(side, "worker_peak", worker.peak())
            stored = Stored(0, 0)
            sample = range(0, runs, runs // 20)
            for number in sample:
                stored += await stored_by_run(lab.client, f"{name}-{number}")
            figures.add(side, "history_size", stored.size / len(sample) / 1000)
            figures.add(side, "history_events", stored.events / len(sample))


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
