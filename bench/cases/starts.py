"""Fresh processes: imports, a worker's way to its first task, and a crowd that waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator

from temporalio.service import RPCError, RPCStatusCode

from bench.cases.bursts import burst
from bench.figures import Figures, Metric, at_most
from bench.lab import Lab
from bench.processes import ROOT
from bench.sides import SIDES, SideName, make_asker

METRICS = [
    Metric("import_alone", "from rojak import Rojak (floor: temporalio's client and worker)", "s", at_most(1.2), 2),
    Metric("import_sdk", "  and openai", "s", None, 2),
    Metric("polling", "from a worker process's start to its first task", "s", at_most(2.5), 2),
    Metric("cold_burst", "50 runs that wait for a fresh worker process: all done", "s", at_most(4.5), 2),
]

_IMPORTS: dict[SideName, str] = {
    "floor": "import temporalio.client, temporalio.worker",
    "ours": "from rojak import Rojak, RojakWorker",
}
_RUNS = 50


async def measure(lab: Lab, figures: Figures) -> None:
    """With the file cache and the byte code warm, as in an image or at the second start."""
    lab.step("imports")
    for imports in _IMPORTS.values():
        await _time_import(f"{imports}\nimport openai")
    for side in SIDES:
        async with lab.worker(side):
            pass
    for side in lab.turns(lab.plan.pick(5, 3)):
        for key, also in (("import_alone", ""), ("import_sdk", "import openai")):
            figures.add(side, key, await _time_import(f"{_IMPORTS[side]}\n{also}"))
    for side in lab.turns():
        lab.step(f"a worker's first task: {side}")
        figures.add(side, "polling", await _time_to_first_task(lab, side))
    for side in lab.turns():
        lab.step(f"50 runs at a fresh worker: {side}")
        figures.add(side, "cold_burst", await _cold_burst(lab, side))


@contextlib.asynccontextmanager
async def _waiting_runs(lab: Lab, side: SideName, runs: int) -> AsyncIterator[tuple[str, str, asyncio.Task[None]]]:
    """Runs that wait on a task queue without a worker: the task queue, the name of the runs, their end."""
    task_queue, name = lab.name(side), lab.name(side)
    asker = make_asker(side, lab.client, task_queue)
    waiting = asyncio.create_task(burst(asker, name, runs, at_once=runs))
    try:
        for number in range(runs):
            await _until_started(lab, f"{name}-{number}")
        yield task_queue, name, waiting
    finally:
        waiting.cancel()
        await asyncio.wait({waiting})


async def _until_started(lab: Lab, workflow_id: str) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                await lab.client.get_workflow_handle(workflow_id).describe()
            except RPCError as error:
                if error.status != RPCStatusCode.NOT_FOUND:
                    raise
            else:
                return
            await asyncio.sleep(0.02)


async def _time_import(imports: str) -> float:
    code = f"import time\nstart = time.perf_counter()\n{imports}\nprint(time.perf_counter() - start)"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return float(out)


async def _time_to_first_task(lab: Lab, side: SideName) -> float:
    """A run waits before the worker starts; its history says when the worker took it."""
    async with _waiting_runs(lab, side, 1) as (task_queue, name, runs):
        worker = await lab.new_worker(side, task_queue).spawn()
        try:
            await runs
        finally:
            await worker.stop()
        async for event in lab.client.get_workflow_handle(f"{name}-0").fetch_history_events():
            if event.HasField("workflow_task_started_event_attributes"):
                return event.event_time.ToNanoseconds() / 1e9 - worker.started
    raise RuntimeError("the run was never taken")


async def _cold_burst(lab: Lab, side: SideName) -> float:
    async with _waiting_runs(lab, side, _RUNS) as (task_queue, _, runs):
        start = time.perf_counter()
        worker = await lab.new_worker(side, task_queue).spawn()
        try:
            await runs
            return time.perf_counter() - start
        finally:
            await worker.stop()
