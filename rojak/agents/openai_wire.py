"""Conversations in the form of OpenAI's chat completions, and answers out of it."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Sequence
from typing import Any

from rojak.agents.base import CompletionRequest
from rojak.agents.content import SHOWN_FOR, images_of, openai_part, text_of
from rojak.agents.errors import EmptyCompletionError, MalformedResponseError
from rojak.agents.strict_schemas import OPENAI_KEYWORDS, strict_schema
from rojak.types.messages import ConversationMessage, FunctionCall, ToolCall, Usage

#: Longest id of a tool call that the API takes.
_MAX_ID = 40


def render_body(request: CompletionRequest) -> dict[str, Any]:
    """The parts of a request that come from the agent and the conversation. Only what is set is sent."""
    agent = request.agent
    body: dict[str, Any] = {
        "messages": [
            {"role": "system", "content": request.instructions},
            *render_messages(request.messages),
        ]
    }
    if request.tools:
        body["tools"] = request.tools
        if agent.tool_choice is not None:
            body["tool_choice"] = agent.tool_choice
        if not agent.parallel_tool_calls:
            body["parallel_tool_calls"] = False
    if request.output_schema is not None:
        body["response_format"] = render_output(request.output_schema)
    return body


def render_output(schema: dict[str, Any]) -> dict[str, Any]:
    """The form of the answer; strict where the schema can be."""
    strict = strict_schema(schema, OPENAI_KEYWORDS, require_all=True)
    name = re.sub(r"[^a-zA-Z0-9_-]", "_", str(schema.get("title") or "answer"))[:64]
    described = {"name": name, "schema": strict or schema, "strict": strict is not None}
    return {"type": "json_schema", "json_schema": described}


def render_messages(messages: Sequence[ConversationMessage]) -> list[dict[str, Any]]:
    """The messages. Results of tools can only be text here, so their images follow as what a user shows."""
    wire: list[dict[str, Any]] = []
    shown: list[dict[str, Any]] = []
    for message in messages:
        if shown and message.role != "tool":
            wire.append({"role": "user", "content": shown})
            shown = []
        wire.append(render_message(message))
        if message.role == "tool" and isinstance(message.content, list) and (images := images_of(message.content)):
            shown.append({"type": "text", "text": SHOWN_FOR.format(wire[-1]["tool_call_id"])})
            shown.extend(openai_part(image) for image in images)
    if shown:
        wire.append({"role": "user", "content": shown})
    return wire


def render_message(message: ConversationMessage) -> dict[str, Any]:
    """A message without what is Rojak's own."""
    content = message.content
    if isinstance(content, list) and message.role != "tool":
        content = [openai_part(part) for part in content]
    wire: dict[str, Any] = {"role": message.role, "content": content}
    if message.name is not None:
        wire["name"] = message.name
    if message.role == "tool":
        wire["tool_call_id"] = _short_id(message.tool_call_id or "")
        wire["content"] = _result_text(message.content)
    if message.tool_calls:
        wire["tool_calls"] = [
            {
                "id": _short_id(call.id),
                "type": "function",
                "function": {"name": call.function.name, "arguments": call.function.arguments},
            }
            for call in message.tool_calls
        ]
    return wire


def _result_text(content: str | list[dict[str, Any]] | None) -> str:
    if not isinstance(content, list):
        return content or ""
    images = len(images_of(content))
    note = f"({images} {'image' if images == 1 else 'images'}, shown below)" if images else ""
    return "\n".join(part for part in (text_of(content), note) if part)


def _short_id(tool_id: str) -> str:
    """An id of another provider's may be too long; the same one always becomes the same."""
    if len(tool_id) <= _MAX_ID:
        return tool_id
    return f"call_{hashlib.blake2b(tool_id.encode(), digest_size=16).hexdigest()}"


def read_completion(completion: Any, sender: str) -> ConversationMessage:
    """The message in a chat completion.

    Raises:
        MalformedResponseError: it is none.
        EmptyCompletionError: it says nothing.
    """
    try:
        choices = completion["choices"]
        if not choices:
            raise EmptyCompletionError("the model returned no choice")
        choice = choices[0]
        message = choice["message"]
        calls = [
            read_call(call.get("id"), call["function"]["name"], call["function"].get("arguments"))
            for call in message.get("tool_calls") or []
            if call.get("type", "function") == "function"
        ]
        text = message.get("content") or message.get("refusal")
        if text is not None and not isinstance(text, str):
            raise TypeError("content is no text")
        return make_message(text, calls, read_usage(completion.get("usage")), sender, choice.get("finish_reason"))
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise MalformedResponseError(f"the answer is no chat completion ({type(error).__name__}: {error})") from error


def make_message(
    text: str | None, calls: list[ToolCall], usage: Usage, sender: str, finish_reason: str | None
) -> ConversationMessage:
    """An assistant message.

    Raises:
        EmptyCompletionError: there is neither text nor a call.
    """
    if not text and not calls:
        raise EmptyCompletionError(f"the model returned neither text nor tool calls (finish reason: {finish_reason})")
    seen: set[str] = set()
    for index, call in enumerate(calls):
        if call.id in seen:
            calls[index] = call.model_copy(update={"id": f"call_{uuid.uuid4().hex[:24]}"})
        seen.add(call.id)
    fields: dict[str, Any] = {"role": "assistant", "sender": sender, "usage": usage}
    if text:
        fields["content"] = text
    if calls:
        fields["tool_calls"] = calls
    return ConversationMessage(**fields)


def read_call(tool_id: str | None, name: str, arguments: Any) -> ToolCall:
    """A tool call. Servers that are only nearly compatible leave the id empty, or send arguments as an object."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
    return ToolCall(
        id=tool_id or f"call_{uuid.uuid4().hex[:24]}", function=FunctionCall(name=name, arguments=text or "{}")
    )


def read_usage(usage: Any) -> Usage:
    """Tokens; zeros where the server counts none."""
    if not isinstance(usage, dict):
        return Usage()
    details = usage.get("prompt_tokens_details") or {}
    return Usage(
        input_tokens=usage.get("prompt_tokens") or 0,
        output_tokens=usage.get("completion_tokens") or 0,
        cached_tokens=details.get("cached_tokens") or 0,
    )


class StreamCollector:
    """Puts a streamed answer together from its chunks."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._calls: dict[int, dict[str, str]] = {}
        self._usage = Usage()
        self._finish_reason: str | None = None

    def add(self, chunk: dict[str, Any]) -> str:
        """Take a chunk.

        Returns:
            The text in it.
        """
        if chunk.get("usage"):
            self._usage = read_usage(chunk["usage"])
        text = ""
        for choice in chunk.get("choices") or []:
            delta = choice.get("delta") or {}
            text += delta.get("content") or delta.get("refusal") or ""
            for part in delta.get("tool_calls") or []:
                self._add_call(part)
            self._finish_reason = choice.get("finish_reason") or self._finish_reason
        if text:
            self._text.append(text)
        return text

    def _add_call(self, part: dict[str, Any]) -> None:
        call = self._calls.setdefault(part.get("index", len(self._calls)), {"id": "", "name": "", "arguments": ""})
        function = part.get("function") or {}
        call["id"] = call["id"] or part.get("id") or ""
        call["name"] += function.get("name") or ""
        call["arguments"] += function.get("arguments") or ""

    def finish(self, sender: str) -> ConversationMessage:
        """The whole message.

        Raises:
            MalformedResponseError: the stream ended before the answer did.
            EmptyCompletionError: it says nothing.
        """
        if self._finish_reason is None:
            raise MalformedResponseError("the stream ended before the answer did")
        calls = [read_call(call["id"], call["name"], call["arguments"]) for _, call in sorted(self._calls.items())]
        return make_message("".join(self._text) or None, calls, self._usage, sender, self._finish_reason)
