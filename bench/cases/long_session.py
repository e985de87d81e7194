"""A session of 2,000 turns: nothing lost or said twice, and nothing that grows."""

from __future__ import annotations

import time
from statistics import median

from temporalio.worker import Replayer

from bench.figures import Figures, Metric, at_most
from bench.histories import run_chain, stored_in_all
from bench.lab import Lab
from bench.ours import OurAsker
from bench.script import said, say
from rojak import RojakPlugin
from rojak.worker import build_id

METRICS = [
    Metric("wrong", "session of 2,000 turns: answers lost, doubled or out of order", "", at_most(0), 0),
    Metric("bytes_10", "  bytes stored of a turn, turns 8 to 12", "B", None, 0),
    Metric("bytes_1000", "  turns 998 to 1,002", "B", None, 0),
    Metric("bytes_growth", "  turn 1,000 / turn 10 (its numbers have more digits)", "", at_most(1.02), 3),
    Metric("bytes_mean", "  of all turns, with the states carried over", "B", None, 0),
    Metric("ms_turn", "  a turn, of the last 100", "ms", None, 0),
    Metric("memory_500", "  worker's memory at turn 500", "MiB", None, 0),
    Metric("memory_growth", "  and how much more at turn 2,000", "MiB", at_most(5.0)),
    Metric("runs", "  runs of the workflow it rolled over into", "", None, 0),
    Metric("replay", "  replay of a run, the slowest", "s", at_most(1.0), 2),
    Metric("replay_cpu", "    CPU of it, the most: what it takes where no one else wants the machine", "s", None, 2),
]

_TURNS = 2000
_CHARACTERS = 100
#: Turns whose stored bytes are looked at. Few, because to look takes time.
_WINDOWS = {"bytes_10": range(8, 13), "bytes_1000": range(998, 1003)}


async def measure(lab: Lab, figures: Figures) -> None:
    """One session with the default history_size. The floor has no match: its history would reach 50 MB before."""
    if not lab.plan.long:
        return
    async with lab.worker("ours") as (worker, task_queue):
        asker, session = OurAsker(lab.client, task_queue), lab.name("ours")
        wrong, taken = 0, []
        sizes: dict[str, list[float]] = {key: [] for key in _WINDOWS}
        for number in range(1, _TURNS + 1):
            if number % 100 == 1:
                lab.step(f"a session of {_TURNS} turns: {number - 1}")
            key = next((key for key, window in _WINDOWS.items() if number in window), None)
            before = (await stored_in_all(lab.client, session)).size if key else 0
            start = time.perf_counter()
            conversation = await asker.converse(session, _asked(number))
            taken.append((time.perf_counter() - start) * 1000)
            wrong += conversation != _expected(number)
            if key:
                sizes[key].append((await stored_in_all(lab.client, session)).size - before)
            if number == 500:
                early = worker.resident()
        figures.add("ours", "wrong", wrong)
        for key, found in sizes.items():
            figures.add("ours", key, median(found))
        figures.add("ours", "bytes_growth", median(sizes["bytes_1000"]) / median(sizes["bytes_10"]))
        figures.add("ours", "bytes_mean", (await stored_in_all(lab.client, session)).size / _TURNS)
        figures.add("ours", "ms_turn", median(taken[-100:]))
        figures.add("ours", "memory_500", early)
        figures.add("ours", "memory_growth", worker.resident() - early)
    lab.step(f"replay of a session of {_TURNS} turns")
    replays = await _replay(lab, session)
    figures.add("ours", "runs", len(replays))
    figures.add("ours", "replay", max(taken for taken, _ in replays))
    figures.add("ours", "replay_cpu", max(cpu for _, cpu in replays))


def _asked(number: int) -> str:
    return say(f"turn-{number}", _CHARACTERS)


def _expected(number: int) -> list[str]:
    """The whole conversation after a turn: the ten messages that the session kept before it, and the two of it.

    The last turns in order and nothing else: so none was lost, doubled or mixed up on the way.
    """
    kept = range(max(1, number - 5), number + 1)
    return [text for turn in kept for text in (_asked(turn), said(f"turn-{turn}", _CHARACTERS))]


async def _replay(lab: Lab, session: str) -> list[tuple[float, float]]:
    """Seconds that a worker with an empty cache takes to catch up with each run of the session, and its CPU."""
    # With a build id, as a worker has one: the SDK would hash all imported code first, which is not replay.
    replayer = Replayer(workflows=[], plugins=[RojakPlugin()], build_id=build_id())
    taken = []
    async for run_id in run_chain(lab.client, session):
        history = await lab.client.get_workflow_handle(session, run_id=run_id).fetch_history()
        start, cpu = time.perf_counter(), time.process_time()
        await replayer.replay_workflow(history)
        taken.append((time.perf_counter() - start, time.process_time() - cpu))
    return taken
