"""Conversations in the form of Anthropic's messages, and answers out of it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

from rojak.agents.base import CompletionRequest
from rojak.agents.content import anthropic_block
from rojak.agents.errors import EmptyCompletionError, MalformedResponseError
from rojak.agents.strict_schemas import ANTHROPIC_KEYWORDS, strict_schema
from rojak.types.messages import ConversationMessage, FunctionCall, ToolCall, Usage

#: What the API wants to know and nobody said: how long an answer may be, in tokens.
DEFAULT_MAX_TOKENS = 8192
#: Blocks that the provider wants back verbatim before the tool calls that came with them.
_KEPT_BLOCKS = ("thinking", "redacted_thinking")


def render_body(request: CompletionRequest) -> dict[str, Any]:
    """The parts of a request that come from the agent and the conversation. Only what is set is sent."""
    said = [m for m in request.messages if m.role in ("system", "developer")]
    system = "\n\n".join(text for text in (request.instructions, *(m.text for m in said)) if text)
    body: dict[str, Any] = {"messages": render_messages(request.messages)}
    if system:
        body["system"] = system
    if request.tools:
        body["tools"] = [_render_tool(tool["function"]) for tool in request.tools]
        choice = _render_choice(request.agent.tool_choice)
        if not request.agent.parallel_tool_calls:
            choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": True}
        if choice is not None:
            body["tool_choice"] = choice
    if request.output_schema is not None and (schema := enforceable(request.output_schema)) is not None:
        body["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
    return body


def enforceable(schema: dict[str, Any]) -> dict[str, Any] | None:
    """The schema as the API takes it; None where it cannot keep a model to it."""
    return strict_schema(schema, ANTHROPIC_KEYWORDS, allow_recursion=False)


def _render_tool(function: dict[str, Any]) -> dict[str, Any]:
    tool = {"name": function["name"], "input_schema": function["parameters"]}
    if function.get("description"):
        tool["description"] = function["description"]
    return tool


def _render_choice(choice: Any) -> dict[str, Any] | None:
    """A tool choice in OpenAI's words, or in Anthropic's own."""
    match choice:
        case None:
            return None
        case "auto" | "none":
            return {"type": choice}
        case "required" | "any":
            return {"type": "any"}
        case {"type": "function", "function": {"name": name}}:
            return {"type": "tool", "name": name}
        case str(name):
            return {"type": "tool", "name": name}
        case _:
            return dict(choice)


def render_messages(messages: Sequence[ConversationMessage]) -> list[dict[str, Any]]:
    """The messages, with the results of one step's tools in one message, and roles that alternate."""
    wire: list[dict[str, Any]] = []
    for message in messages:
        if message.role in ("system", "developer"):
            continue
        role = "assistant" if message.role == "assistant" else "user"
        blocks = _render_blocks(message)
        if not blocks:
            continue
        if wire and wire[-1]["role"] == role:
            wire[-1]["content"].extend(blocks)
        else:
            wire.append({"role": role, "content": blocks})
    if wire and wire[0]["role"] == "assistant":
        # The API wants the user to begin.
        wire.insert(0, {"role": "user", "content": [{"type": "text", "text": "(The conversation goes on.)"}]})
    return wire


def _render_blocks(message: ConversationMessage) -> list[dict[str, Any]]:
    if message.role == "tool":
        result = {"type": "tool_result", "tool_use_id": _valid_id(message.tool_call_id or "")}
        if isinstance(message.content, list):
            return [{**result, "content": [anthropic_block(part) for part in message.content]}]
        return [{**result, "content": message.content or ""}]
    kept = (message.provider_data or {}).get("anthropic", []) if message.role == "assistant" else []
    blocks: list[dict[str, Any]] = [*kept]
    if isinstance(message.content, str):
        # Empty and blank texts are refused.
        if message.content.strip():
            blocks.append({"type": "text", "text": message.content})
    else:
        blocks.extend(anthropic_block(part) for part in message.content or [] if not _is_blank(part))
    for call in message.tool_calls or []:
        block = {"type": "tool_use", "id": _valid_id(call.id), "name": call.function.name}
        blocks.append({**block, "input": _read_arguments(call.function.arguments)})
    return blocks


def _is_blank(part: dict[str, Any]) -> bool:
    return part.get("type") == "text" and not str(part.get("text", "")).strip()


def _read_arguments(text: str) -> dict[str, Any]:
    """Arguments as the object that the API wants, also where a model once wrote something that is none."""
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {"malformed": text}
    return value if isinstance(value, dict) else {"value": value}


def _valid_id(tool_id: str) -> str:
    """An id in the alphabet of the API; the same one always becomes the same."""
    if re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", tool_id):
        return tool_id
    return f"toolu_{hashlib.blake2b(tool_id.encode(), digest_size=12).hexdigest()}"


def read_message(answer: Any, sender: str) -> ConversationMessage:
    """The assistant message in an answer.

    Raises:
        MalformedResponseError: it is none.
        EmptyCompletionError: it says nothing.
    """
    try:
        blocks = answer["content"]
        text = "".join(block["text"] for block in blocks if block["type"] == "text")
        calls = [
            ToolCall(
                id=block["id"],
                function=FunctionCall(name=block["name"], arguments=_written(block["input"])),
            )
            for block in blocks
            if block["type"] == "tool_use"
        ]
        kept = [block for block in blocks if block["type"] in _KEPT_BLOCKS]
        usage = read_usage(answer.get("usage") or {})
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise MalformedResponseError(f"the answer is no message ({type(error).__name__}: {error})") from error
    if not text and not calls:
        reason = answer.get("stop_reason")
        raise EmptyCompletionError(f"the model returned neither text nor tool calls (stop reason: {reason})")
    fields: dict[str, Any] = {"role": "assistant", "sender": sender, "usage": usage}
    if text:
        fields["content"] = text
    if calls:
        fields["tool_calls"] = calls
    if kept:
        fields["provider_data"] = {"anthropic": kept}
    return ConversationMessage(**fields)


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def read_usage(usage: dict[str, Any]) -> Usage:
    """Tokens. Anthropic counts what it read from or wrote to its cache apart from the input."""
    read = usage.get("cache_read_input_tokens") or 0
    written = usage.get("cache_creation_input_tokens") or 0
    return Usage(
        input_tokens=(usage.get("input_tokens") or 0) + read + written,
        output_tokens=usage.get("output_tokens") or 0,
        cached_tokens=read,
    )


class StreamCollector:
    """Puts a streamed answer together from its events."""

    def __init__(self) -> None:
        self._answer: dict[str, Any] = {"content": [], "usage": {}}
        self._is_over = False

    def add(self, event: dict[str, Any]) -> str:
        """Take an event.

        Returns:
            The text in it.
        """
        content: list[dict[str, Any]] = self._answer["content"]
        match event["type"]:
            case "message_start":
                self._answer["usage"] = event["message"].get("usage") or {}
            case "content_block_start":
                block = dict(event["content_block"])
                if block["type"] == "tool_use":
                    block["input"] = ""
                content.append(block)
            case "content_block_delta":
                return self._add_delta(content[event["index"]], event["delta"])
            case "message_delta":
                self._answer["stop_reason"] = event["delta"].get("stop_reason")
                news = {name: value for name, value in (event.get("usage") or {}).items() if value is not None}
                self._answer["usage"] = {**self._answer["usage"], **news}
            case "message_stop":
                self._is_over = True
        return ""

    def _add_delta(self, block: dict[str, Any], delta: dict[str, Any]) -> str:
        match delta["type"]:
            case "text_delta":
                block["text"] += delta["text"]
                return str(delta["text"])
            case "input_json_delta":
                block["input"] += delta["partial_json"]
            case "thinking_delta":
                block["thinking"] = block.get("thinking", "") + delta["thinking"]
            case "signature_delta":
                block["signature"] = delta["signature"]
        return ""

    def finish(self, sender: str) -> ConversationMessage:
        """The whole message.

        Raises:
            MalformedResponseError: the stream ended before the answer did.
            EmptyCompletionError: it says nothing.
        """
        if not self._is_over:
            raise MalformedResponseError("the stream ended before the answer did")
        for block in self._answer["content"]:
            if block["type"] == "tool_use":
                block["input"] = block["input"] or "{}"
        return read_message(self._answer, sender)
