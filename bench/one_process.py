"""Worker and client in one process: ``python -m bench.one_process SIDE ADDRESS TASK_QUEUE MODEL_URL RUNS``.

Makes the runs one after another and prints the milliseconds that each took.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import cast

from temporalio.client import Client

from bench.sides import SideName, make_asker, make_worker


async def main(side: SideName, address: str, task_queue: str, base_url: str, runs: str) -> None:
    client = await Client.connect(address)
    asker = make_asker(side, client, task_queue)
    async with make_worker(side, client, task_queue, base_url):
        for number in range(int(runs)):
            start = time.perf_counter()
            answer = await asker.run(f"{task_queue}-{number}", f"echo word-{number}")
            print((time.perf_counter() - start) * 1000, flush=True)
            assert answer == f"done word-{number}", answer


if __name__ == "__main__":
    asyncio.run(main(cast("SideName", sys.argv[1]), *sys.argv[2:6]))
