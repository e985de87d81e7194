"""Agents that have others as tools, and how tests speak to them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.client import WorkflowExecutionStatus

from rojak import AgentTool, Interrupt, ResumeRequest, ResumeResponse, Rojak
from rojak.agents import OpenAIAgent
from tests.integration.session.team import NAMES

worker_agent = OpenAIAgent(name="Worker", instructions="You are W.", functions=NAMES, interrupts=[Interrupt("pay")])

lead = OpenAIAgent(
    name="Lead",
    instructions="You lead.",
    functions=NAMES,
    interrupts=[Interrupt("pay")],
    tools=[AgentTool(worker_agent, "Does what it is told"), AgentTool(worker_agent, "Knows", name="b")],
)

boss = OpenAIAgent(name="Boss", tools=[AgentTool(lead, "Leads workers")])


def ask(*lines: str, to: str = "worker") -> str:
    """A call of an agent whose message is a script of its own."""
    return f"{to} {json.dumps({'message': chr(10).join(lines)})}"


def call(*asked: str) -> str:
    """A line that makes these calls. The script splits at '; ', which JSON can say in another way."""
    return "call " + "; ".join(part.replace("; ", r"\u003b ") for part in asked)


def approve(request: ResumeRequest, **fields: Any) -> ResumeResponse:
    return ResumeResponse(action="approve", tool_id=request.tool_id, **fields)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """Wait for something in another session that cannot be awaited."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.05)


async def status(rojak: Rojak, session_id: str) -> WorkflowExecutionStatus | None:
    return (await rojak.client.get_workflow_handle(session_id).describe()).status


async def pending_names(rojak: Rojak, session_id: str) -> list[str | None]:
    return [request.tool_arguments for request in await rojak.get_pending_approvals(session_id)]
