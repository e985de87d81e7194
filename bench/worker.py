"""A worker process: ``python -m bench.worker floor|ours ADDRESS TASK_QUEUE MODEL_URL``. SIGTERM ends it."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import cast

from temporalio.client import Client

from bench.sides import SideName, make_worker


async def main(side: SideName, address: str, task_queue: str, base_url: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    client = await Client.connect(address)
    async with make_worker(side, client, task_queue, base_url):
        print("ready", flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(cast("SideName", sys.argv[1]), *sys.argv[2:5]))
