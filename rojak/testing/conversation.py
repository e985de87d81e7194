"""What a model was asked, in one form for every provider: what rules match on and tests look at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from rojak.agents.content import SHOWN_FOR

_SHOWN = SHOWN_FOR.partition("{}")[0]

Provider = Literal["openai", "anthropic"]


@dataclass(frozen=True)
class AskedCall:
    """A tool call in a message that was sent back to the model. ``arguments`` is JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Said:
    """One message. A tool's result is a message of role ``tool``, whichever way the provider writes it.

    Attributes:
        role: who speaks.
        text: what is said.
        tool_calls: what a model asked for.
        tool_call_id: of a tool's result.
        images: URLs of what is shown, data URLs where the bytes were sent.
    """

    role: str
    text: str = ""
    tool_calls: list[AskedCall] = field(default_factory=list)
    tool_call_id: str | None = None
    images: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Conversation:
    """One request.

    Attributes:
        provider: whose form it had.
        model: the model that was asked for.
        system: the instructions: OpenAI's first system message, Anthropic's ``system``.
        messages: all messages; with OpenAI the system message is one of them.
        tools: names of the functions that were offered.
        stream: whether the answer is streamed.
        body: the request as it came.
    """

    provider: Provider
    model: str
    system: str
    messages: list[Said]
    tools: list[str]
    stream: bool
    body: Mapping[str, Any] = field(repr=False)

    @property
    def last(self) -> Said | None:
        """The last message."""
        return self.messages[-1] if self.messages else None

    def last_text(self, role: str) -> str | None:
        """Text of the last message of a role; None if there is none."""
        return next((message.text for message in reversed(self.messages) if message.role == role), None)

    @property
    def output_schema(self) -> dict[str, Any] | None:
        """The JSON schema that the provider was to keep the answer to; None if it was not asked to."""
        if self.provider == "openai":
            form = self.body.get("response_format") or {}
            schema = (form.get("json_schema") or {}).get("schema")
        else:
            form = (self.body.get("output_config") or {}).get("format") or {}
            schema = form.get("schema")
        return schema if form.get("type") == "json_schema" else None

    @property
    def tool_results(self) -> list[str]:
        """What the tools said since the user spoke last."""
        results: list[str] = []
        for message in reversed(self.messages):
            if message.role == "user":
                break
            if message.role == "tool":
                results.insert(0, message.text)
        return results


def read_openai(body: Mapping[str, Any]) -> Conversation:
    """The conversation in a request for chat completions."""
    messages = _with_shown_results([_read_openai_message(message) for message in body.get("messages", [])])
    system = next((message.text for message in messages if message.role in ("system", "developer")), "")
    tools = [tool["function"]["name"] for tool in body.get("tools") or [] if tool.get("type") == "function"]
    return Conversation("openai", str(body.get("model", "")), system, messages, tools, bool(body.get("stream")), body)


def _read_openai_message(message: Mapping[str, Any]) -> Said:
    calls = [
        AskedCall(call["id"], call["function"]["name"], call["function"]["arguments"])
        for call in message.get("tool_calls") or []
    ]
    content = message.get("content")
    return Said(message["role"], _text_of(content), calls, message.get("tool_call_id"), _images_of(content))


def _with_shown_results(messages: list[Said]) -> list[Said]:
    """The messages, with images that only follow the results of tools as part of the last result."""
    joined: list[Said] = []
    for message in messages:
        last = joined[-1] if joined else None
        if last is not None and last.role == "tool" and message.role == "user" and message.text.startswith(_SHOWN):
            joined[-1] = replace(last, images=[*last.images, *message.images])
        else:
            joined.append(message)
    return joined


def read_anthropic(body: Mapping[str, Any], model: str | None = None) -> Conversation:
    """The conversation in a request for messages. Bedrock names the model in the path instead of the body."""
    messages: list[Said] = []
    for message in body.get("messages", []):
        messages.extend(_read_anthropic_message(message))
    tools = [tool["name"] for tool in body.get("tools") or []]
    return Conversation(
        "anthropic",
        model or str(body.get("model", "")),
        _text_of(body.get("system")),
        messages,
        tools,
        bool(body.get("stream")),
        body,
    )


def _read_anthropic_message(message: Mapping[str, Any]) -> list[Said]:
    content = message.get("content")
    if not isinstance(content, list):
        return [Said(message["role"], _text_of(content))]
    said: list[Said] = []
    calls: list[AskedCall] = []
    for block in content:
        if block.get("type") == "tool_result":
            shown, result_id = block.get("content"), block.get("tool_use_id")
            said.append(Said("tool", _text_of(shown), tool_call_id=result_id, images=_images_of(shown)))
        elif block.get("type") == "tool_use":
            calls.append(AskedCall(block["id"], block["name"], json.dumps(block["input"])))
    text, images = _text_of(content), _images_of(content)
    if text or calls or images or not said:
        said.append(Said(message["role"], text, calls, images=images))
    return said


def _images_of(content: Any) -> list[str]:
    """URLs of the images, whichever way the provider writes them."""
    urls: list[str] = []
    for part in content if isinstance(content, list) else []:
        if part.get("type") == "image_url":
            urls.append(part["image_url"]["url"])
        elif part.get("type") == "image":
            source = part["source"]
            urls.append(source.get("url") or f"data:{source['media_type']};base64,{source['data']}")
    return urls


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text", "")) for part in parts if part.get("type") == "text")
