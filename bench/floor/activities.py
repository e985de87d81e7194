"""The floor's model call and tool call."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
from temporalio import activity

from bench import tools

TOOLS: dict[str, Any] = {"echo": tools.echo, "slow": tools.slow, "blocking": tools.blocking}
SCHEMAS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": function.__doc__,
            "parameters": {
                "type": "object",
                "properties": {parameter: {"type": "string" if parameter == "text" else "number"}},
                "required": [parameter],
            },
        },
    }
    for name, function in TOOLS.items()
    for parameter in inspect.signature(function).parameters
]


class FloorActivities:
    """The activities, with the client of the model."""

    def __init__(self, base_url: str) -> None:
        self._client = openai.AsyncOpenAI(api_key="bench", base_url=base_url, max_retries=0)
        self._threads = ThreadPoolExecutor(100)

    @activity.defn
    async def call_model(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
        """The model's next message."""
        system: Any = {"role": "system", "content": tools.INSTRUCTIONS}
        conversation: list[Any] = [system, *messages]
        completion = await self._client.chat.completions.create(model="gpt-4o", messages=conversation, tools=SCHEMAS)
        message = completion.choices[0].message
        if not message.tool_calls:
            return {"role": "assistant", "content": message.content}
        calls = [call for call in message.tool_calls if call.type == "function"]
        return {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.function.name, "arguments": call.function.arguments},
                }
                for call in calls
            ],
        }

    @activity.defn
    async def call_tool(self, name: str, arguments: str) -> str:
        """What the tool says."""
        function = functools.partial(TOOLS[name], **json.loads(arguments))
        if inspect.iscoroutinefunction(TOOLS[name]):
            return str(await function())
        return str(await asyncio.get_running_loop().run_in_executor(self._threads, function))
