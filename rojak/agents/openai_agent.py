"""Agents on OpenAI's chat completions, or on any server that speaks the same protocol."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, ClassVar

from rojak.agents.base import AgentActivities, AgentOptions, CompletionRequest
from rojak.agents.clients import (
    ClientSource,
    call_in_thread,
    check_inference_config,
    iterate_in_thread,
    require_key,
)
from rojak.agents.errors import MalformedResponseError
from rojak.agents.openai_wire import StreamCollector, read_completion, render_body
from rojak.types.agent import Agent
from rojak.types.errors import MissingExtraError
from rojak.types.messages import ConversationMessage
from rojak.types.retry import RetryOptions

_RESERVED = frozenset({"model", "messages", "tools", "stream", "stream_options"})


class OpenAIAgent(Agent):
    """An agent whose model speaks OpenAI's protocol."""

    type: str = "openai"
    model: str = "gpt-5-mini"


class OpenAIAgentOptions(AgentOptions):
    """Options of `OpenAIAgentActivities`. The key is looked for in OPENAI_API_KEY, the address in OPENAI_BASE_URL."""


class OpenAIAgentActivities(AgentActivities):
    """Calls chat completions.

    Raises:
        MissingExtraError: the SDK is not installed.
        ConfigurationError: there is no API key, or ``inference_config`` sets what is the session's to set.
    """

    agent_type: ClassVar[str] = "openai"

    def __init__(self, options: OpenAIAgentOptions | None = None) -> None:
        options = options or OpenAIAgentOptions()
        super().__init__(options)
        try:
            # Here, and not when the first model is called: importing it takes a second.
            import openai
        except ImportError as error:
            raise MissingExtraError("OpenAI agents need the openai package: pip install 'rojak[openai]'") from error
        check_inference_config(options.inference_config, _RESERVED)
        if options.client is None:
            require_key(options.api_key, ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY"), "OpenAIAgentOptions")

        def make() -> openai.AsyncOpenAI:
            return openai.AsyncOpenAI(
                api_key=options.api_key,
                base_url=options.base_url,
                default_headers=options.headers or None,
                max_retries=0,
            )

        self._clients = ClientSource(options.client, make, (openai.AsyncOpenAI,))

    def keeps_to_schemas(self, schema: dict[str, Any]) -> bool:
        """Any schema: what cannot be strict is a strong hint."""
        return True

    async def complete(self, request: CompletionRequest) -> ConversationMessage:
        """Call the model."""
        arguments: dict[str, Any] = {
            "model": request.agent.model,
            # The SDK walks through typed arguments to convert them, for each request the whole conversation; what
            # is in the extra body it sends as it is.
            "messages": [],
            "extra_body": {**self.options.inference_config, **render_body(request)},
        }
        limits = request.agent.retry_options
        if self.options.client is None or limits != RetryOptions():
            arguments["timeout"] = limits.timeout_in_seconds
        if request.on_text is None:
            return read_completion(await self._fetch(arguments), request.agent.name)
        collector = StreamCollector()
        async for chunk in self._stream(arguments):
            if text := collector.add(chunk.model_dump()):
                request.on_text(text)
        return collector.finish(request.agent.name)

    async def close(self) -> None:
        """Close the connections."""
        await self._clients.close()

    async def _fetch(self, arguments: dict[str, Any]) -> Any:
        # Raw, because making typed objects of the answer takes longer than reading it.
        create = self._clients.get().chat.completions.with_raw_response.create
        if self._clients.is_sync:
            raw = await call_in_thread(lambda: create(**arguments))
        else:
            raw = await create(**arguments)
        try:
            return json.loads(raw.content)
        except ValueError as error:
            raise MalformedResponseError(f"the answer is not JSON ({error})") from None

    async def _stream(self, arguments: dict[str, Any]) -> AsyncIterator[Any]:
        arguments = {**arguments, "stream": True, "stream_options": {"include_usage": True}}
        create = self._clients.get().chat.completions.create
        if self._clients.is_sync:
            async for chunk in iterate_in_thread(lambda: iter(create(**arguments))):
                yield chunk
            return
        stream = await create(**arguments)
        async with stream:
            async for chunk in stream:
                yield chunk
