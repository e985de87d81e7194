"""Order a pizza from four agents: ``python -m examples.pizza.main``.

One process: a Temporal server, a worker, and you. With an API key in OPENAI_API_KEY you do the talking; without one a
scripted customer talks to scripted agents.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Iterator

from rich.prompt import Confirm, Prompt
from temporalio.client import Client

from examples.pizza.agents import ALL_FUNCTIONS, triage_agent
from examples.pizza.script import CUSTOMER, write_script
from examples.pizza.worker import TASK_QUEUE
from examples.support import Screen, a_model, console
from rojak import ResumeResponse, Rojak, TaskParams
from rojak.agents import Agent, OpenAIAgentActivities, OpenAIAgentOptions
from rojak.client import Done, WaitingForApproval
from rojak.dev import TemporalServer


async def main() -> None:
    """Hold the conversation."""
    with a_model(write_script) as scripted, TemporalServer() as server:
        console.print(f"Temporal UI: {server.ui_url or server.address}")
        rojak = Rojak(await Client.connect(server.address), task_queue=TASK_QUEUE)
        activities = OpenAIAgentActivities(OpenAIAgentOptions(all_functions=ALL_FUNCTIONS))
        alone = scripted or not sys.stdin.isatty()
        async with rojak.create_worker([activities]):
            await talk(rojak, iter(CUSTOMER) if alone else ask_customer(), alone=alone)


def ask_customer() -> Iterator[str]:
    """What a person types; an empty line ends the conversation."""
    while text := Prompt.ask("[bold cyan]You[/]", default="", show_default=False):
        yield text


async def talk(rojak: Rojak, customer: Iterator[str], *, alone: bool) -> None:
    """One persistent session, line by line."""
    screen, session_id = Screen(), f"pizza-{uuid.uuid4().hex[:8]}"
    agent: Agent | None = triage_agent
    for text in customer:
        if alone:
            screen.say("Customer", text)
        task = TaskParams(agent=agent, messages=[{"role": "user", "content": text}])
        events = rojak.stream(id=session_id, type="persistent", task=task)
        while True:
            last = None
            async for last in events:
                screen.show(last)
            if not isinstance(last, WaitingForApproval):
                break
            # One decision at a time; the next stream ends at the next request, or with the answer.
            events = rojak.stream(id=session_id, resume=decide(last, alone=alone))
        if isinstance(last, Done):
            # From now on the session goes on with whoever spoke last.
            agent = None


def decide(waiting: WaitingForApproval, *, alone: bool) -> ResumeResponse:
    """A human's decision on the first of the calls that wait."""
    request = waiting.requests[0]
    if alone or Confirm.ask(f"[yellow]{request.question}[/] {request.tool_arguments}"):
        return ResumeResponse(action="approve", tool_id=request.tool_id)
    reason = Prompt.ask("Why not?")
    return ResumeResponse(action="reject", tool_id=request.tool_id, content=reason)


if __name__ == "__main__":
    asyncio.run(main())
