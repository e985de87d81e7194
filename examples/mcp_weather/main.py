"""Tools of an MCP server: ``python -m examples.mcp_weather.main "What is the weather like in Oslo?"``."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from pathlib import Path

from temporalio.client import Client

from examples.support import Screen, a_model, console
from rojak import Rojak, TaskParams
from rojak.agents import OpenAIAgent, OpenAIAgentActivities
from rojak.dev import TemporalServer
from rojak.testing import Conversation, ModelServer, Reply, call
from rojak.types import MCPServerConfig

QUESTION = "What is the weather like in San Francisco?"
SERVER = MCPServerConfig(
    type="stdio", command=sys.executable, args=[str(Path(__file__).with_name("mcp_weather_server.py"))]
)


def write_script(model: ModelServer) -> None:
    """What the scripted model says."""

    def answer(conversation: Conversation) -> Reply:
        if not conversation.tool_results:
            asked = (conversation.last_text("user") or "").rstrip("?")
            return Reply(tool_calls=[call("get_weather", location=asked.partition(" in ")[2] or "San Francisco")])
        try:
            weather = json.loads(conversation.tool_results[-1])
        except ValueError:
            return Reply(conversation.tool_results[-1])
        return Reply(f"It is {weather['degrees_celsius']} °C and {weather['sky']} in {weather['location']}.")

    model.otherwise().reply(answer)


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
