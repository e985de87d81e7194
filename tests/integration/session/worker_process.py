"""A worker as a process of its own, for tests that kill it. Prints ``polling`` when it takes work."""

from __future__ import annotations

import asyncio
import json
import signal
import sys

from temporalio.client import Client

from rojak import Rojak
from rojak.agents import OpenAIAgentActivities, OpenAIAgentOptions
from tests.integration.session.team import FUNCTIONS


async def main(address: str, task_queue: str, base_url: str, options: dict[str, object]) -> None:
    client = await Client.connect(address)
    rojak = Rojak(client, task_queue=task_queue)
    activities = OpenAIAgentActivities(OpenAIAgentOptions(api_key="test", base_url=base_url, all_functions=FUNCTIONS))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with rojak.create_worker([activities], **options):
        print("polling", flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4], json.loads(sys.argv[4])))
