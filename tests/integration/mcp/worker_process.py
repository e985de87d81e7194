"""A worker with the test server as a child, as a process of its own that tests kill. Prints ``polling``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from temporalio.client import Client

from rojak import Rojak
from rojak.agents import OpenAIAgentActivities, OpenAIAgentOptions
from rojak.types import MCPServerConfig
from tests.integration.mcp.conftest import PROGRAM


async def main(address: str, task_queue: str, base_url: str) -> None:
    rojak = Rojak(await Client.connect(address), task_queue=task_queue)
    env = {"MCP_TEST_LEDGER": os.environ["MCP_TEST_LEDGER"]}
    config = MCPServerConfig(type="stdio", command=sys.executable, args=[*PROGRAM, "stdio"], env=env)
    activities = OpenAIAgentActivities(OpenAIAgentOptions(api_key="test", base_url=base_url))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with rojak.create_worker([activities], mcp_servers={"test": config}):
        print("polling", flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
