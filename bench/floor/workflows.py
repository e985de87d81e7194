"""The floor's workflows: a run that does one task, and a session that is asked by updates."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from bench.floor.activities import FloorActivities

_LIMIT = timedelta(seconds=60)


async def _take_turn(messages: list[dict[str, Any]], text: str) -> str:
    messages.append({"role": "user", "content": text})
    while True:
        message = await workflow.execute_activity_method(
            FloorActivities.call_model, messages, start_to_close_timeout=_LIMIT
        )
        messages.append(message)
        calls = message.get("tool_calls")
        if not calls:
            return str(message["content"])
        results = await asyncio.gather(*(_call_tool(call["function"]) for call in calls))
        for call, result in zip(calls, results, strict=True):
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})


async def _call_tool(function: dict[str, str]) -> str:
    return await workflow.execute_activity_method(
        FloorActivities.call_tool, args=[function["name"], function["arguments"]], start_to_close_timeout=_LIMIT
    )


@workflow.defn
class FloorRun:
    """Does one task."""

    @workflow.run
    async def run(self, prompt: str) -> str:
        """The answer."""
        return await _take_turn([], prompt)


@workflow.defn
class FloorSession:
    """Keeps a conversation until it is terminated."""

    def __init__(self) -> None:
        self._messages: list[dict[str, Any]] = []
        self._turn = asyncio.Lock()

    @workflow.run
    async def run(self) -> None:
        """Wait for updates."""
        await workflow.wait_condition(lambda: False)

    @workflow.update
    async def ask(self, text: str) -> str:
        """The answer."""
        async with self._turn:
            return await _take_turn(self._messages, text)
