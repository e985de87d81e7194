"""Spans of model calls, tool calls and look-ups, in OpenTelemetry's conventions for generative AI.

For code in an activity. Without `start_tracing` they are nothing, and cost nothing; OpenTelemetry need not be installed
then.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rojak.types.messages import ConversationMessage

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

#: A worker process traces if one of these is set.
OTLP_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
#: The convention's own switch: content is in spans only if somebody says so.
CAPTURE_VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_CAPTURING = ("true", "1", "span_only", "span_and_event")
#: Parameters of calls that have attributes, as providers and as the convention name them.
_PARAMETERS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "seed": "seed",
}

_tracer: Tracer | None = None


def use_span_tracer(tracer: Tracer | None) -> None:
    """From now on calls of this process are traced with this."""
    global _tracer
    _tracer = tracer


def captures_content() -> bool:
    """Whether what is said may be in spans."""
    return os.environ.get(CAPTURE_VARIABLE, "").lower() in _CAPTURING


class CallSpan:
    """The span of a call, or nothing."""

    def __init__(self, span: Any | None = None) -> None:
        self._span = span
        self.failed = False

    def set(self, **attributes: Any) -> None:
        """Set attributes; ``__`` stands for a dot. None is left out."""
        if self._span is not None:
            for name, value in attributes.items():
                if value is not None:
                    self._span.set_attribute(name.replace("__", "."), value)

    def fail(self, error_type: str) -> None:
        """The call failed. The error's text is not recorded: it may quote the conversation."""
        self.failed = True
        if self._span is not None:
            from opentelemetry.trace import StatusCode

            self._span.set_attribute("error.type", error_type)
            self._span.set_status(StatusCode.ERROR)

    @property
    def captures(self) -> bool:
        """Whether content belongs into this span."""
        return self._span is not None and captures_content()

    def set_input(
        self, instructions: str, messages: Sequence[ConversationMessage], tools: list[dict[str, Any]]
    ) -> None:
        """What the model is asked, if content is captured."""
        if self.captures:
            self.set(
                gen_ai__system_instructions=_dump([{"type": "text", "content": instructions}]),
                gen_ai__input__messages=_dump([_render(message) for message in messages]),
                gen_ai__tool__definitions=_dump(tools) if tools else None,
            )

    def set_reply(self, reply: ConversationMessage, finish_reason: str) -> None:
        """What it answered: tokens always, content if it is captured."""
        usage = reply.usage
        if usage is not None:
            self.set(
                gen_ai__usage__input_tokens=usage.input_tokens,
                gen_ai__usage__output_tokens=usage.output_tokens,
                gen_ai__usage__cache_read__input_tokens=usage.cached_tokens or None,
            )
        self.set(gen_ai__response__finish_reasons=[finish_reason])
        if self.captures:
            self.set(gen_ai__output__messages=_dump([_render(reply) | {"finish_reason": finish_reason}]))


@contextmanager
def chat_span(
    *, provider: str, model: str, agent: str, session_id: str, base_url: str | None, parameters: Mapping[str, Any]
) -> Iterator[CallSpan]:
    """The span of one attempt at a model call."""
    if _tracer is None:
        yield CallSpan()
        return
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "gen_ai.agent.name": agent,
        "gen_ai.conversation.id": session_id,
    }
    for given, named in _PARAMETERS.items():
        if isinstance(parameters.get(given), int | float):
            attributes[f"gen_ai.request.{named}"] = parameters[given]
    if base_url and (host := urlsplit(base_url).hostname):
        attributes["server.address"] = host
        if port := urlsplit(base_url).port:
            attributes["server.port"] = port
    with _span(f"chat {model}", "CLIENT", attributes) as span:
        yield span


@contextmanager
def tool_span(
    *,
    tool: str,
    kind: str,
    agent: str,
    session_id: str,
    call_id: str,
    arguments: str,
    description: str | None = None,
    mcp_server: str | None = None,
) -> Iterator[CallSpan]:
    """The span of one attempt at a tool call; ``kind`` is function, extension or datastore."""
    if _tracer is None:
        yield CallSpan()
        return
    attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": tool,
        "gen_ai.tool.type": kind,
        "gen_ai.tool.call.id": call_id,
        "gen_ai.agent.name": agent,
        "gen_ai.conversation.id": session_id,
    }
    if description:
        attributes["gen_ai.tool.description"] = description
    if mcp_server is not None:
        attributes |= {"mcp.method.name": "tools/call", "rojak.mcp.server": mcp_server}
    if captures_content():
        attributes["gen_ai.tool.call.arguments"] = arguments
    with _span(f"execute_tool {tool}", "INTERNAL", attributes) as span:
        yield span


@contextmanager
def retrieval_span(*, retriever: str, session_id: str, query: str) -> Iterator[CallSpan]:
    """The span of one attempt at a look-up."""
    if _tracer is None:
        yield CallSpan()
        return
    attributes = {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.conversation.id": session_id,
        "rojak.retriever": retriever,
    }
    if captures_content():
        attributes["gen_ai.retrieval.query.text"] = query
    with _span(f"retrieval {retriever}", "CLIENT", attributes) as span:
        yield span


@contextmanager
def _span(name: str, kind: str, attributes: Mapping[str, Any]) -> Iterator[CallSpan]:
    from opentelemetry.trace import SpanKind

    if _tracer is None:
        raise RuntimeError("nobody traces")
    with _tracer.start_as_current_span(
        name,
        kind=SpanKind[kind],
        attributes=attributes,
        # An exception's text may quote the conversation.
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        call = CallSpan(span)
        try:
            yield call
        except (Exception, asyncio.CancelledError) as error:
            if not call.failed:
                call.fail(type(error).__name__)
            raise


def _render(message: ConversationMessage) -> dict[str, Any]:
    """A message in the convention's form."""
    parts: list[dict[str, Any]] = []
    if message.role == "tool":
        parts.append({"type": "tool_call_response", "id": message.tool_call_id, "response": message.text})
    elif message.text:
        parts.append({"type": "text", "content": message.text})
    for call in message.tool_calls or []:
        function = call.function
        parts.append({"type": "tool_call", "id": call.id, "name": function.name, "arguments": function.arguments})
    return {"role": message.role, "parts": parts}


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
