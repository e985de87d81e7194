"""How a worker calls the models of one provider: the extension point next to `rojak.types.Agent`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from rojak.agents.errors import ProviderFailure, classify_error
from rojak.tools.registry import FunctionRegistry
from rojak.types.agent import Agent
from rojak.types.messages import ConversationMessage


class AgentOptions(BaseModel):
    """What activities of a provider are made of.

    Attributes:
        api_key: of the provider; its own environment variable when left out.
        base_url: where the provider, or what is compatible with it, is; its own environment variable, or its own
            address, when left out.
        headers: sent with each call, by a client made from the above.
        client: a client object of the provider's SDK instead of one made from the above, async or sync. A sync one
            runs in a thread.
        all_functions: the functions that agents may name, for tools and for instructions.
        inference_config: parameters of the model call, passed on as they are (``{"temperature": 0.2}``). Nothing is
            sent that is not in it, except what the provider requires.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    api_key: str | None = Field(default=None, repr=False)
    base_url: str | None = None
    headers: dict[str, str] = Field(default={}, repr=False)
    client: Any | None = Field(default=None, repr=False)
    all_functions: list[Callable[..., Any]] = Field(default=[], repr=False)
    inference_config: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """What a provider is asked.

    Attributes:
        agent: who asks: model, tool choice, limits.
        instructions: the system prompt, as text.
        messages: the conversation, without the system prompt.
        tools: the functions the model may call, in OpenAI's form.
        output_schema: what the final answer has to fit, for providers that can keep a model to it
            (`AgentActivities.keeps_to_schemas`); with the others it is in the instructions.
        on_text: where the text goes while it is generated; None when nobody watches, and nothing need be streamed.
    """

    agent: Agent
    instructions: str
    messages: Sequence[ConversationMessage]
    tools: list[dict[str, Any]]
    on_text: Callable[[str], None] | None = None
    output_schema: dict[str, Any] | None = None


class AgentActivities(ABC):
    """Calls the models of one provider, and knows the functions of its agents.

    Subclass it for a provider of your own, together with `Agent`, and give an instance to ``create_worker``.

    Args:
        options: only ``all_functions`` is read here.

    Raises:
        ConfigurationError: a function cannot be used.
    """

    #: The ``type`` of the Agent subclass that this serves.
    agent_type: ClassVar[str]

    def keeps_to_schemas(self, schema: dict[str, Any]) -> bool:
        """Whether the provider can keep a model to this schema: then `complete` passes it on. By default it cannot."""
        return False

    def __init__(self, options: AgentOptions) -> None:
        self.options = options
        self.functions = FunctionRegistry(options.all_functions)

    @property
    def provider_name(self) -> str:
        """The provider in traces, as OpenTelemetry's conventions name it."""
        return self.agent_type

    @abstractmethod
    async def complete(self, request: CompletionRequest) -> ConversationMessage:
        """Let the model go on with the conversation.

        Returns:
            An assistant message: content, tool calls, usage.

        Raises:
            Exception: whatever goes wrong; `classify` judges it.
        """

    def classify(self, error: Exception) -> ProviderFailure | None:
        """What an exception of `complete` means. None: unknown, and tried again a few times."""
        return classify_error(error, secrets=(self.options.api_key,) if self.options.api_key else ())

    async def close(self) -> None:  # noqa: B027 - optional: a provider may have nothing to release
        """Release connections; the worker calls it when it stops."""
