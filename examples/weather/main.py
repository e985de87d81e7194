"""Tool calls and context variables: ``python -m examples.weather.main "What is the weather in Paris?"``."""

from __future__ import annotations

import asyncio
import sys
import uuid
from typing import Any, Literal

from temporalio.client import Client

from examples.support import a_model, console
from rojak import OrchestratorResponse, Rojak, TaskParams
from rojak.agents import OpenAIAgent, OpenAIAgentActivities, OpenAIAgentOptions
from rojak.dev import TemporalServer
from rojak.testing import Conversation, ModelServer, Reply, call

OBSERVED = {"paris": (19, "sunny"), "singapore": (31, "thundery"), "oslo": (4, "snowy")}


def get_weather(
    context_variables: dict[str, Any], location: str, unit: Literal["celsius", "fahrenheit"] | None = None
) -> str:
    """The weather at a place right now.

    Args:
        location: name of a city.
        unit: of the temperature; what the user prefers when left out.
    """
    if location.lower() not in OBSERVED:
        raise ValueError(f"nobody observes the weather in {location}; ask for {', '.join(OBSERVED)}")
    degrees, sky = OBSERVED[location.lower()]
    unit = unit or context_variables.get("unit", "celsius")
    context_variables["looked_up"] = [*context_variables.get("looked_up", []), location]
    return f"{degrees * 9 / 5 + 32:.0f} °F, {sky}" if unit == "fahrenheit" else f"{degrees} °C, {sky}"


def instructions(context_variables: dict[str, Any]) -> str:
    """Instructions that know the user's name."""
    return f"You tell {context_variables.get('user', 'the user')} about the weather, in one sentence."


weather_agent = OpenAIAgent(
    name="Weather", instructions={"type": "function", "name": "instructions"}, functions=["get_weather"]
)


def write_script(model: ModelServer) -> None:
    """What the scripted model says."""

    def answer(conversation: Conversation) -> Reply:
        if conversation.tool_results:
            return Reply(f"It is {conversation.tool_results[-1]}.")
        asked = (conversation.last_text("user") or "").lower()
        city = next((name for name in OBSERVED if name in asked), "atlantis")
        return Reply(tool_calls=[call("get_weather", location=city.capitalize())])

    model.otherwise().reply(answer)


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
