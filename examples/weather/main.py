"""Tool calls and context variables: ``python -m examples.weather.main "What is the weather in Paris?"``."""

from __future__ import annotations

import asyncio
import sys
import uuid

from temporalio.client import Client

from examples.support import a_model, console
from examples.weather.manifests.model_script import write_script
from examples.weather.manifests.tools import get_weather, instructions
from rojak import OrchestratorResponse, Rojak, TaskParams
from rojak.agents import OpenAIAgent, OpenAIAgentActivities, OpenAIAgentOptions
from rojak.dev import TemporalServer

weather_agent = OpenAIAgent(
    name="Weather", instructions={"type": "function", "name": "instructions"}, functions=["get_weather"]
)


async def main(question: str) -> None:
    """Ask once."""
    with a_model(write_script), TemporalServer() as server:
        console.print(f"Temporal UI: {server.ui_url or server.address}")
        rojak = Rojak(await Client.connect(server.address), task_queue="weather")
        activities = OpenAIAgentActivities(OpenAIAgentOptions(all_functions=[get_weather, instructions]))
        async with rojak.create_worker([activities]):
            response = await rojak.run(
                id=f"weather-{uuid.uuid4().hex[:8]}",
                task=TaskParams(agent=weather_agent, messages=[{"role": "user", "content": question}]),
                context_variables={"user": "Ann", "unit": "celsius"},
            )
        if isinstance(response.result, OrchestratorResponse):
            for message in response.result.messages:
                for asked in message.tool_calls or []:
                    console.print(f"  {message.sender} calls {asked.function.name} {asked.function.arguments}")
                if message.text:
                    console.print(f"{message.sender or message.role}: {message.text}")
            console.print(f"Context variables: {response.result.context_variables}")


if __name__ == "__main__":
    asyncio.run(main(" ".join(sys.argv[1:]) or "What is the weather in Paris?"))
