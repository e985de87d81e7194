"""What the two providers' answers look like: bodies, streams and errors, as their own SDKs read them."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

from rojak.testing.conversation import Conversation
from rojak.testing.replies import Fault, Reply
from rojak.types.messages import Usage

_ANTHROPIC_STOP = {"tool_calls": "tool_use", "stop": "end_turn", "length": "max_tokens"}
_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def usage_of(conversation: Conversation, reply: Reply) -> Usage:
    """The reply's usage; words where it has none."""
    if reply.usage is not None:
        return reply.usage
    said = sum(len(message.text.split()) for message in conversation.messages)
    answered = len(reply.text.split()) + sum(len(c.arguments.split()) + 1 for c in reply.tool_calls)
    return Usage(input_tokens=max(1, said), output_tokens=max(1, answered))


def _finish_reason(reply: Reply) -> str:
    return reply.finish_reason or ("tool_calls" if reply.tool_calls else "stop")


def _pieces(text: str) -> list[str]:
    """Words, each with the space before it: joined they are the text."""
    words = text.split(" ")
    return [word if index == 0 else f" {word}" for index, word in enumerate(words)] if text else []


def _halves(text: str) -> tuple[str, str]:
    middle = len(text) // 2
    return text[:middle], text[middle:]


# OpenAI


def openai_body(conversation: Conversation, reply: Reply) -> dict[str, Any]:
    """A chat completion."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None, "refusal": None}
    if reply.tool_calls:
        message["tool_calls"] = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
            for c in reply.tool_calls
        ]
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex[:16]}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": conversation.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(reply)}],
        "usage": _openai_usage(usage_of(conversation, reply)),
    }


def _openai_usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def openai_events(conversation: Conversation, reply: Reply) -> Iterator[bytes]:
    """The same answer as server-sent events."""
    frame = {
        "id": f"chatcmpl-{uuid.uuid4().hex[:16]}",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": conversation.model,
    }

    def event(delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return _sse({**frame, "choices": [choice]})

    yield event({"role": "assistant", "content": ""})
    for piece in _pieces(reply.text):
        yield event({"content": piece})
    for index, asked in enumerate(reply.tool_calls):
        first, second = _halves(asked.arguments)
        named = {"index": index, "id": asked.id, "type": "function", "function": {"name": asked.name, "arguments": ""}}
        yield event({"tool_calls": [named]})
        for part in (first, second):
            yield event({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
    yield event({}, _finish_reason(reply))
    if (conversation.body.get("stream_options") or {}).get("include_usage"):
        yield _sse({**frame, "choices": [], "usage": _openai_usage(usage_of(conversation, reply))})
    yield b"data: [DONE]\n\n"


# Anthropic


def anthropic_body(conversation: Conversation, reply: Reply) -> dict[str, Any]:
    """A message."""
    content: list[dict[str, Any]] = [{"type": "text", "text": reply.text}] if reply.text else []
    content += [
        {"type": "tool_use", "id": c.id, "name": c.name, "input": json.loads(c.arguments or "{}")}
        for c in reply.tool_calls
    ]
    return {**_anthropic_frame(conversation, reply), "content": content, **_anthropic_stop(reply)}


def _anthropic_frame(conversation: Conversation, reply: Reply) -> dict[str, Any]:
    usage = usage_of(conversation, reply)
    return {
        "id": f"msg_{uuid.uuid4().hex[:16]}",
        "type": "message",
        "role": "assistant",
        "model": conversation.model,
        "usage": {
            # Anthropic counts what came from the cache apart from the input.
            "input_tokens": usage.input_tokens - usage.cached_tokens,
            "output_tokens": usage.output_tokens,
            "cache_read_input_tokens": usage.cached_tokens,
            "cache_creation_input_tokens": 0,
        },
    }


def _anthropic_stop(reply: Reply) -> dict[str, Any]:
    reason = _finish_reason(reply)
    return {"stop_reason": _ANTHROPIC_STOP.get(reason, reason), "stop_sequence": None}


def anthropic_events(conversation: Conversation, reply: Reply) -> Iterator[bytes]:
    """The same answer as server-sent events."""
    frame = _anthropic_frame(conversation, reply)
    begun = {**frame, "content": [], "stop_reason": None, "stop_sequence": None}
    yield _named({"type": "message_start", "message": {**begun, "usage": {**frame["usage"], "output_tokens": 1}}})
    yield _named({"type": "ping"})
    index = 0
    if reply.text:
        yield _named({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
        for piece in _pieces(reply.text):
            yield _named({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}})
        yield _named({"type": "content_block_stop", "index": 0})
        index = 1
    for position, asked in enumerate(reply.tool_calls, index):
        block = {"type": "tool_use", "id": asked.id, "name": asked.name, "input": {}}
        yield _named({"type": "content_block_start", "index": position, "content_block": block})
        for part in _halves(asked.arguments):
            delta = {"type": "input_json_delta", "partial_json": part}
            yield _named({"type": "content_block_delta", "index": position, "delta": delta})
        yield _named({"type": "content_block_stop", "index": position})
    usage = {"output_tokens": frame["usage"]["output_tokens"]}
    yield _named({"type": "message_delta", "delta": _anthropic_stop(reply), "usage": usage})
    yield _named({"type": "message_stop"})


def error_body(conversation: Conversation, fault: Fault) -> dict[str, Any]:
    """An error in the provider's form."""
    status = fault.status or 500
    kind = _ERROR_TYPES.get(status, "server_error" if conversation.provider == "openai" else "api_error")
    if conversation.provider == "anthropic":
        return {"type": "error", "error": {"type": kind, "message": fault.message}}
    return {"error": {"message": fault.message, "type": kind, "param": None, "code": None}}


def _sse(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def _named(data: dict[str, Any]) -> bytes:
    return f"event: {data['type']}\n".encode() + _sse(data)
