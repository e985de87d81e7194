"""A session of 100 turns: how long a turn takes as the conversation grows, and what is stored of it."""

from __future__ import annotations

import time
from statistics import median

from bench.figures import Figures, Metric, at_most
from bench.histories import stored_in_all
from bench.lab import Lab
from bench.script import said, say
from bench.sides import Asker, SideName, make_asker

METRICS = [
    Metric("turn_10", "a turn of a session (1 KB in, 1 KB out), turns 6 to 15", "ms", None, 0),
    Metric("turn_100", "  turns 91 to 100", "ms", None, 0),
    Metric("growth", "  turn 100 / turn 10", "", at_most(1.3), 2),
    Metric("history", "  history of the 100 turns", "MB", at_most(0.6), 2),
    Metric("history_default", "  the same with history_size=10, the default", "MB", at_most(0.6), 2),
]

_CHARACTERS = 1000


async def measure(lab: Lab, figures: Figures) -> None:
    """Sessions that keep everything; then ours with the default history_size, which the floor has no match for."""
    for side in lab.turns():
        lab.step(f"100 turns of a session: {side}")
        async with lab.worker(side) as (_, task_queue):
            await _warm_up(make_asker(side, lab.client, task_queue), lab.name(side))
            options = {"history_size": float("inf")} if side == "ours" else {}
            asker, session = make_asker(side, lab.client, task_queue, **options), lab.name(side)
            taken = await converse(asker, session, 100)
            early, late = median(taken[5:15]), median(taken[90:100])
            figures.add(side, "turn_10", early)
            figures.add(side, "turn_100", late)
            figures.add(side, "growth", late / early)
            figures.add(side, "history", (await stored_in_all(lab.client, session)).size / 1e6)
    await _measure_default(lab, figures, "ours")


async def _measure_default(lab: Lab, figures: Figures, side: SideName) -> None:
    lab.step("100 turns of a session with the default history_size: ours")
    async with lab.worker(side) as (_, task_queue):
        session = lab.name(side)
        await converse(make_asker(side, lab.client, task_queue), session, 100)
        figures.add(side, "history_default", (await stored_in_all(lab.client, session)).size / 1e6)


async def _warm_up(asker: Asker, name: str) -> None:
    for number in range(5):
        await converse(asker, f"{name}-{number}", 2)


async def converse(asker: Asker, session: str, turns: int) -> list[float]:
    """Take turns and check the answers; the milliseconds that each took."""
    taken = []
    for number in range(turns):
        word = f"turn-{number}"
        start = time.perf_counter()
        answer = await asker.turn(session, say(word, _CHARACTERS))
        taken.append((time.perf_counter() - start) * 1000)
        assert answer == said(word, _CHARACTERS), answer
    return taken
