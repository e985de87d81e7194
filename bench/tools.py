"""The tools of the scripted model, for both sides."""

from __future__ import annotations

import asyncio
import time

#: What the agent of both sides is told.
INSTRUCTIONS = "You are a bench agent."


def echo(text: str) -> str:
    """Say it again."""
    return text


async def slow(seconds: float) -> str:
    """Take a while."""
    await asyncio.sleep(seconds)
    return "slept"


def blocking(seconds: float) -> str:
    """Take a while, in a thread."""
    time.sleep(seconds)
    return "slept"
