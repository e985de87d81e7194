"""Agents on Anthropic's messages, at Anthropic or at Amazon Bedrock."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, ClassVar, Literal

from rojak.agents.anthropic_wire import DEFAULT_MAX_TOKENS, StreamCollector, enforceable, read_message, render_body
from rojak.agents.base import AgentActivities, AgentOptions, CompletionRequest
from rojak.agents.clients import (
    ClientSource,
    call_in_thread,
    check_inference_config,
    iterate_in_thread,
    require_key,
)
from rojak.agents.errors import MalformedResponseError
from rojak.types.agent import Agent
from rojak.types.errors import MissingExtraError
from rojak.types.messages import ConversationMessage

_RESERVED = frozenset({"model", "messages", "system", "tools", "stream"})


class AnthropicAgent(Agent):
    """An agent whose model is one of Anthropic's."""

    type: str = "anthropic"
    model: str = "claude-sonnet-5-5"


class AnthropicAgentOptions(AgentOptions):
    """Options of `AnthropicAgentActivities`.

    The key is looked for in ANTHROPIC_API_KEY (or a token in ANTHROPIC_AUTH_TOKEN), the address in
    ANTHROPIC_BASE_URL. The API requires ``max_tokens``: 8192 unless ``inference_config`` says otherwise.

    Attributes:
        platform: ``"bedrock"`` for Anthropic's models at Amazon. Region and credentials are then found as AWS does
            (AWS_REGION, AWS_ACCESS_KEY_ID, a role of the pod, ...).
    """

    platform: Literal["anthropic", "bedrock"] = "anthropic"


class AnthropicAgentActivities(AgentActivities):
    """Calls messages.

    Raises:
        MissingExtraError: the SDK is not installed.
        ConfigurationError: there is no API key, or ``inference_config`` sets what is the session's to set.
    """

    agent_type: ClassVar[str] = "anthropic"

    def __init__(self, options: AnthropicAgentOptions | None = None) -> None:
        options = options or AnthropicAgentOptions()
        super().__init__(options)
        self._platform = options.platform
        try:
            # Here, and not when the first model is called: importing it takes a second.
            import anthropic
        except ImportError as error:
            message = "Anthropic agents need the anthropic package: pip install 'rojak[anthropic]'"
            raise MissingExtraError(message) from error
        check_inference_config(options.inference_config, _RESERVED)
        if options.client is None and options.platform == "anthropic":
            require_key(options.api_key, ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"), "AnthropicAgentOptions")

        def make() -> anthropic.AsyncAnthropic | anthropic.AsyncAnthropicBedrock:
            kind = anthropic.AsyncAnthropicBedrock if options.platform == "bedrock" else anthropic.AsyncAnthropic
            return kind(
                api_key=options.api_key,
                base_url=options.base_url,
                default_headers=options.headers or None,
                max_retries=0,
            )

        async_types = (anthropic.AsyncAnthropic, anthropic.AsyncAnthropicBedrock, anthropic.AsyncAnthropicVertex)
        self._clients = ClientSource(options.client, make, async_types)

    def keeps_to_schemas(self, schema: dict[str, Any]) -> bool:
        """Schemas that the API can enforce."""
        return enforceable(schema) is not None

    @property
    def provider_name(self) -> str:
        """The provider in traces."""
        return "aws.bedrock" if self._platform == "bedrock" else "anthropic"

    async def complete(self, request: CompletionRequest) -> ConversationMessage:
        """Call the model."""
        body = {**self.options.inference_config, **render_body(request)}
        if "output_config" in body:
            # It holds more than the form of the answer: the effort, for instance.
            body["output_config"] = {**self.options.inference_config.get("output_config", {}), **body["output_config"]}
        arguments: dict[str, Any] = {
            "model": request.agent.model,
            "max_tokens": body.pop("max_tokens", DEFAULT_MAX_TOKENS),
            "messages": body.pop("messages"),
            "extra_body": body,
            "timeout": request.agent.retry_options.timeout_in_seconds,
        }
        if request.on_text is None:
            return read_message(await self._fetch(arguments), request.agent.name)
        collector = StreamCollector()
        async for event in self._stream(arguments):
            if text := collector.add(event.model_dump()):
                request.on_text(text)
        return collector.finish(request.agent.name)

    async def close(self) -> None:
        """Close the connections."""
        await self._clients.close()

    async def _fetch(self, arguments: dict[str, Any]) -> Any:
        create = self._clients.get().messages.with_raw_response.create
        if self._clients.is_sync:
            raw = await call_in_thread(lambda: create(**arguments))
        else:
            raw = await create(**arguments)
        try:
            return json.loads(raw.http_response.content)
        except ValueError as error:
            raise MalformedResponseError(f"the answer is not JSON ({error})") from None

    async def _stream(self, arguments: dict[str, Any]) -> AsyncIterator[Any]:
        arguments = {**arguments, "stream": True}
        create = self._clients.get().messages.create
        if self._clients.is_sync:
            async for event in iterate_in_thread(lambda: iter(create(**arguments))):
                yield event
            return
        stream = await create(**arguments)
        async with stream:
            async for event in stream:
                yield event
