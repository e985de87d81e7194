"""The two sides of every comparison, behind one interface: how a client asks, and how a worker is made.

A process imports the side that it serves and not the other one, so that neither costs the other time or memory.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, Protocol

from temporalio.client import Client

SideName = Literal["floor", "ours"]
SIDES: tuple[SideName, SideName] = ("floor", "ours")


class Asker(Protocol):
    """The client's half of a side, on one task queue."""

    async def run(self, id: str, prompt: str) -> str:  # noqa: A002 - as Rojak calls it
        """The answer of a run of its own."""
        ...

    async def turn(self, session: str, text: str) -> str:
        """The answer of a turn of a session, which begins with its first turn."""
        ...


def make_asker(side: SideName, client: Client, task_queue: str, **options: Any) -> Asker:
    """The client's half of a side; ``options`` are for `bench.ours.OurAsker`."""
    if side == "floor":
        from bench.floor.side import FloorAsker

        return FloorAsker(client, task_queue)
    from bench.ours import OurAsker

    return OurAsker(client, task_queue, **options)


def make_worker(side: SideName, client: Client, task_queue: str, base_url: str) -> AbstractAsyncContextManager[Any]:
    """A worker of a side, to be entered."""
    if side == "floor":
        from bench.floor import side as chosen

        return chosen.make_worker(client, task_queue, base_url)
    from bench import ours

    return ours.make_worker(client, task_queue, base_url)
