"""The clients of an agent: its model's provider, and its store."""

from __future__ import annotations

from typing import Any, NoReturn

from rojak.agents import (
    AgentActivities,
    AgentOptions,
    AnthropicAgentActivities,
    AnthropicAgentOptions,
    CompletionRequest,
    OpenAIAgentActivities,
    OpenAIAgentOptions,
)
from rojak.hosting.definitions import Definition
from rojak.hosting.secrets import MissingSecretError, Secrets
from rojak.manifests import tool_name_of
from rojak.manifests.tools import QdrantSource
from rojak.retrievers import QdrantRetrieverActivities, QdrantRetrieverOptions, RetrieverActivities
from rojak.types.errors import ConfigurationError

#: Where the providers' SDKs look for a key.
KEY_VARIABLES = {
    "openai": ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY"),
    "anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
}


def build_provider(definition: Definition, secrets: Secrets) -> AgentActivities:
    """What calls the agent's model: each agent has a client of its own.

    Raises:
        ConfigurationError: a Secret is missing, or the provider cannot be called as it is set up.
        MissingExtraError: the provider's SDK is not installed.
    """
    model, who = definition.entry.spec.model, f"Agent {definition.entry.name!r}"
    fields: dict[str, Any] = {"all_functions": definition.functions}
    if model.api_key is not None:
        fields["api_key"] = secrets.get(model.api_key.secret_key_ref, who)
    variables = KEY_VARIABLES.get(model.provider, ())
    if variables and not fields.get("api_key") and not any(secrets.environ.get(name) for name in variables):
        raise MissingSecretError(
            f"{who} has no API key: give spec.model.apiKey in its manifest, or set {variables[0]} for the worker"
        )
    if model.base_url is not None:
        fields["base_url"] = model.base_url
    if model.headers:
        fields["headers"] = secrets.fill(model.headers, who)
    if model.parameters:
        fields["inference_config"] = model.parameters
    try:
        if model.provider == "openai":
            return OpenAIAgentActivities(OpenAIAgentOptions(**fields))
        platform = "bedrock" if model.provider == "bedrock" else "anthropic"
        return AnthropicAgentActivities(AnthropicAgentOptions(**fields, platform=platform))
    except ConfigurationError as error:
        raise type(error)(f"{who}: {error}") from error


def build_retrievers(definition: Definition, secrets: Secrets) -> list[RetrieverActivities]:
    """What asks the agent's stores.

    Raises:
        ConfigurationError: a Secret is missing, or the store cannot be asked as it is set up.
        MissingExtraError: the store's client is not installed.
    """
    return [
        QdrantRetrieverActivities(_qdrant_options(tool.retriever.qdrant, tool_name_of(tool), definition, secrets))
        for tool in definition.entry.spec.tools
        if tool.retriever is not None
    ]


def _qdrant_options(
    source: QdrantSource, name: str | None, definition: Definition, secrets: Secrets
) -> QdrantRetrieverOptions:
    who = f"Agent {definition.entry.name!r}"
    fields: dict[str, Any] = {"collection_name": source.collection, "limit": source.limit, "name": name}
    fields["cloud_inference"] = source.cloud_inference
    for option in ("url", "path", "score_threshold", "embedding_model", "vector_name", "source_field"):
        if (value := getattr(source, option)) is not None:
            fields[option] = value
    if source.embed_function is not None:
        fields["embed"] = definition.embeds[source.embed_function]
    if source.text_fields:
        fields["text_fields"] = tuple(source.text_fields)
    if source.api_key is not None:
        fields["api_key"] = secrets.get(source.api_key.secret_key_ref, who)
    return QdrantRetrieverOptions(**fields)


class BrokenProvider(AgentActivities):
    """Stands for the provider of an agent that cannot work, among others that can: its runs fail, and say why."""

    agent_type = ""

    def __init__(self, definition: Definition, reason: str) -> None:
        super().__init__(AgentOptions(all_functions=definition.functions))
        self.agent_type = definition.agent.type  # type: ignore[misc]  # each stands for another provider
        self._reason = reason

    async def complete(self, request: CompletionRequest) -> NoReturn:
        """Say why not.

        Raises:
            ConfigurationError: always.
        """
        raise ConfigurationError(self._reason)
