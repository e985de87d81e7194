"""What `rojak run` and `rojak chat` have in common: what is said to an agent, and what comes of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from rojak.cli.errors import CommandError
from rojak.client import Done, Event, WaitingForApproval
from rojak.types.agent import AgentRef
from rojak.types.session import TaskParams


def user_task(text: str, agent: str | None = None, **fields: Any) -> TaskParams:
    """What a person says, to this agent or to the one that is active."""
    message: Any = {"role": "user", "content": text}
    ref = {} if agent is None else {"agent": AgentRef(agent)}
    return TaskParams(messages=[message], **ref, **fields)


async def follow(events: AsyncGenerator[Event, None], show: Callable[[Event], None]) -> Done | WaitingForApproval:
    """Show events until the run ends or waits for a human."""
    async with aclosing(events):
        async for event in events:
            show(event)
            if isinstance(event, Done | WaitingForApproval):
                return event
    raise CommandError("the run ended without a word; rojak sessions show says what became of it")
