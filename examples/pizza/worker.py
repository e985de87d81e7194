"""A worker for the pizza team as a process of its own: ``python -m examples.pizza.worker ADDRESS``."""

from __future__ import annotations

import asyncio
import signal
import sys

from temporalio.client import Client

from examples.pizza.agents import ALL_FUNCTIONS
from rojak import Rojak
from rojak.agents import OpenAIAgentActivities, OpenAIAgentOptions

TASK_QUEUE = "pizza"


async def main(address: str) -> None:
    """Work until SIGTERM."""
    rojak = Rojak(await Client.connect(address), task_queue=TASK_QUEUE)
    activities = OpenAIAgentActivities(OpenAIAgentOptions(all_functions=ALL_FUNCTIONS))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with rojak.create_worker([activities]):
        print("polling", flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
