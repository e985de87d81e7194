"""Tools of an MCP server: ``python -m examples.mcp_weather.main "What is the weather like in Oslo?"``."""

from __future__ import annotations

import asyncio
import sys
import uuid
from pathlib import Path

from temporalio.client import Client

from examples.mcp_weather.manifests.model_script import write_script
from examples.support import Screen, a_model, console
from rojak import Rojak, TaskParams
from rojak.agents import OpenAIAgent, OpenAIAgentActivities
from rojak.dev import TemporalServer
from rojak.types import MCPServerConfig

QUESTION = "What is the weather like in San Francisco?"
SERVER = MCPServerConfig(
    type="stdio", command=sys.executable, args=[str(Path(__file__).with_name("mcp_weather_server.py"))]
)


async def main(question: str) -> None:
    """Ask once."""
    with a_model(write_script), TemporalServer() as server:
        console.print(f"Temporal UI: {server.ui_url or server.address}")
        rojak = Rojak(await Client.connect(server.address), task_queue="mcp-weather")
        screen = Screen()
        # The worker starts the server, keeps it while it runs, and ends it.
        async with rojak.create_worker([OpenAIAgentActivities()], mcp_servers={"weather": SERVER}):
            screen.say("You", question)
            task = TaskParams(agent=OpenAIAgent(name="Weather"), messages=[{"role": "user", "content": question}])
            async for event in rojak.stream(id=f"mcp-weather-{uuid.uuid4().hex[:8]}", task=task):
                screen.show(event)


if __name__ == "__main__":
    asyncio.run(main(" ".join(sys.argv[1:]) or QUESTION))
