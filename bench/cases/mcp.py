"""Calls of an MCP server's tool: through a session, and by the bare client (the floor here) on one connection."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

import psutil

from bench import tools
from bench.figures import Figures, Metric, at_most, ratio_at_least
from bench.lab import Lab
from mcp import Client, StdioServerParameters
from rojak import OrchestratorResponse, Rojak, TaskParams
from rojak.agents import OpenAIAgent, OpenAIAgentActivities, OpenAIAgentOptions
from rojak.types import MCPServerConfig

METRICS = [
    Metric(
        "calls",
        "calls of an MCP tool of 0.5 s, 20 at once (floor: bare client)",
        "calls/s",
        ratio_at_least(0.5),
    ),
    Metric("instant", "  of one that answers at once", "calls/s", None),
    Metric("function", "  of a function that answers at once, in a session", "calls/s", None),
    Metric("processes", "  processes that the calls started", "", at_most(0), 0),
]

_AT_ONCE = 20
_COMMAND = ["-m", "bench.mcp_server"]


async def measure(lab: Lab, figures: Figures) -> None:
    """One connection on both sides; a session's runs are model, 20 calls, model."""
    rounds = lab.plan.pick(6, 3)
    config = MCPServerConfig(type="stdio", command=sys.executable, args=_COMMAND)
    activities = OpenAIAgentActivities(
        OpenAIAgentOptions(api_key="bench", base_url=lab.model_url, all_functions=[tools.slow])
    )
    for _ in range(lab.plan.reps):
        lab.step("calls of an MCP tool: the bare client")
        async with Client(StdioServerParameters(command=sys.executable, args=_COMMAND)) as client:

            async def bare(tool: str, seconds: float, client: Client = client) -> None:
                await asyncio.gather(*(client.call_tool(tool, {"seconds": seconds}) for _ in range(_AT_ONCE)))

            figures.add("floor", "calls", await _rate(bare, "remote", 0.5, rounds))
            figures.add("floor", "instant", await _rate(bare, "remote", 0.0, rounds))
        lab.step("calls of an MCP tool: sessions")
        rojak = Rojak(lab.client, lab.name("ours"))
        async with rojak.create_worker([activities], mcp_servers={"bench": config}):

            async def ours(tool: str, seconds: float, rojak: Rojak = rojak) -> None:
                prompt = f"tools {tool} {_AT_ONCE} {seconds}"
                agent = OpenAIAgent(name="Bench", functions=["slow"], instructions=tools.INSTRUCTIONS)
                task = TaskParams(agent=agent, messages=[{"role": "user", "content": prompt}])
                response = await rojak.run(id=lab.name("ours"), task=task)
                assert isinstance(response.result, OrchestratorResponse), response.result
                assert response.result.messages[2].text == "slept", response.result.messages[2].text

            await ours("remote", 0.0)
            before = len(psutil.Process().children(recursive=True))
            figures.add("ours", "calls", await _rate(ours, "remote", 0.5, rounds))
            figures.add("ours", "instant", await _rate(ours, "remote", 0.0, rounds))
            figures.add("ours", "processes", len(psutil.Process().children(recursive=True)) - before)
            figures.add("ours", "function", await _rate(ours, "slow", 0.0, rounds))


async def _rate(call: Callable[[str, float], Awaitable[None]], tool: str, seconds: float, rounds: int) -> float:
    start = time.perf_counter()
    for _ in range(rounds):
        await call(tool, seconds)
    return rounds * _AT_ONCE / (time.perf_counter() - start)
