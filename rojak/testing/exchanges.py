"""Requests of both providers in, answers of both providers out."""

from __future__ import annotations

import asyncio
import json
import urllib.parse
from collections.abc import Iterator

from rojak.testing.conversation import Conversation, read_anthropic, read_openai
from rojak.testing.http import Exchange
from rojak.testing.replies import Fault, Pace, Reply
from rojak.testing.wire import anthropic_events, error_body, openai_events


def read_request(path: str, body: bytes) -> Conversation | None:
    """The conversation in a request; None if nothing is served at the path, or the body is no JSON."""
    parts = path.strip("/").split("/")
    try:
        content = json.loads(body)
    except ValueError:
        return None
    if path.endswith("/chat/completions"):
        return read_openai(content)
    if path.endswith("/messages"):
        return read_anthropic(content)
    if len(parts) >= 3 and parts[-3] == "model" and parts[-1] == "invoke":
        return read_anthropic(content, model=urllib.parse.unquote(parts[-2]))
    return None


async def send_fault(exchange: Exchange, conversation: Conversation, fault: Fault) -> None:
    """Fail as the fault says, in the form of the provider."""
    if fault.drop:
        exchange.abort()
    elif fault.body is not None:
        await exchange.send_body(200, fault.body, fault.headers)
    else:
        await exchange.send_json(fault.status or 500, error_body(conversation, fault), fault.headers)


async def send_stream(exchange: Exchange, conversation: Conversation, reply: Reply, pace: Pace) -> None:
    """Answer piece by piece."""
    events: Iterator[bytes] = (openai_events if conversation.provider == "openai" else anthropic_events)(
        conversation, reply
    )
    await exchange.start_stream()
    for index, event in enumerate(events):
        if pace.break_after is not None and index >= pace.break_after:
            exchange.abort()
            return
        await exchange.send_chunk(event)
        if pace.chunk_delay:
            await asyncio.sleep(pace.chunk_delay)
    await exchange.end_stream()
