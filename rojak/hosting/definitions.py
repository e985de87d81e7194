"""From an agent's manifest to what a session knows of it."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from rojak.agents import (
    Agent,
    AgentInstructionOptions,
    AgentLimits,
    AgentRef,
    AgentTool,
    AnthropicAgent,
    HandOffTool,
    Interrupt,
    OpenAIAgent,
)
from rojak.hosting.functions import Function, FunctionSource
from rojak.hosting.mcp_servers import named_mcp_tools
from rojak.manifests import handoff_name_of, seconds_of, task_queue_of, tool_name_of
from rojak.manifests.agent import AgentSpec
from rojak.manifests.tools import Approval
from rojak.manifests.tools import Tool as ManifestTool
from rojak.retrievers import QdrantRetriever
from rojak.tools.signature import name_of
from rojak.types.compaction import Compaction
from rojak.types.errors import ConfigurationError
from rojak.types.retry import RetryOptions, RetryPolicy
from rojak.types.tools import Tool
from rojak.workerconfig.model import AgentEntry

#: Which class of agent speaks a provider's protocol. Bedrock serves Anthropic's models in Anthropic's protocol.
AGENT_CLASSES: dict[str, type[Agent]] = {
    "openai": OpenAIAgent,
    "anthropic": AnthropicAgent,
    "bedrock": AnthropicAgent,
}


class Definition:
    """An agent of the configuration, with the functions that it names.

    Args:
        entry: of the configuration.
        namespace: of its manifest; the agents that it names are there.
        source: of functions.

    Raises:
        ConfigurationError: it names a function that is not there, or cannot be an agent.
    """

    def __init__(self, entry: AgentEntry, namespace: str, source: FunctionSource) -> None:
        self.entry = entry
        self._namespace = namespace
        self._who = f"Agent {entry.name!r}"
        self.functions: list[Function] = []
        #: What embeds for a retriever, by the name in its manifest.
        self.embeds = {
            tool.retriever.qdrant.embed_function: source.find(tool.retriever.qdrant.embed_function, self._who)
            for tool in entry.spec.tools
            if tool.retriever is not None and tool.retriever.qdrant.embed_function is not None
        }
        tools = [self._find(source, tool.function.name) for tool in entry.spec.tools if tool.function]
        if twice := next((name for name in tools if tools.count(name) > 1), None):
            raise ConfigurationError(f"{self._who} has two tools named {twice!r}; remove one of them, or rename it")
        instructions = entry.spec.instructions_function
        makes_instructions = None if instructions is None else self._find(source, instructions)
        self.agent = self._build(tools, makes_instructions)

    def _find(self, source: FunctionSource, name: str) -> str:
        """Remember the function; by the name that models call it by."""
        function = source.find(name, self._who)
        if function not in self.functions:
            self.functions.append(function)
        return name_of(function)

    def _build(self, functions: list[str], makes_instructions: str | None) -> Agent:
        spec = self.entry.spec
        fields: dict[str, Any] = {"model": spec.model.name, "name": self.entry.name}
        # What has its default is left out: a definition is in each session's history.
        optional = {
            "instructions": (
                spec.instructions if makes_instructions is None else AgentInstructionOptions(name=makes_instructions)
            ),
            "functions": functions,
            "tools": [*self._agent_tools(), *self._retriever_tools(), *self._hand_offs()],
            "interrupts": self._interrupts(functions),
            "retriever": next((_retriever(tool) for tool in spec.tools if _is_asked_about_each_question(tool)), None),
            "retry_options": _retry_options(spec),
            "context_variables": spec.context_variables,
            "output_schema": spec.output_schema,
            "limits": _limits(spec),
        }
        fields.update({name: value for name, value in optional.items() if value})
        if not spec.parallel_tool_calls:
            fields["parallel_tool_calls"] = False
        if spec.session.on_config_change == "Pin":
            fields["pinned"] = True
        try:
            return AGENT_CLASSES[spec.model.provider](**fields)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise ConfigurationError(f"{self._who}: {first['msg']}") from None

    def _ref(self, name: str) -> AgentRef:
        return AgentRef(name, task_queue=task_queue_of(self._namespace, name))

    def _agent_tools(self) -> list[Tool]:
        return [
            AgentTool(
                self._ref(tool.agent.agent_ref.name),
                tool.agent.description,
                name=tool_name_of(tool),
                **_given(
                    share_context=tool.agent.share_context or None,
                    timeout_in_seconds=tool.agent.timeout and seconds_of(tool.agent.timeout),
                ),
            )
            for tool in self.entry.spec.tools
            if tool.agent is not None
        ]

    def _retriever_tools(self) -> list[Tool]:
        return [
            _retriever(tool).as_tool(description=tool.retriever.description, name=tool_name_of(tool))
            for tool in self.entry.spec.tools
            if tool.retriever is not None and tool.retriever.description is not None
        ]

    def _hand_offs(self) -> list[Tool]:
        return [
            HandOffTool(
                self._ref(target.agent_ref.name),
                target.description,
                name=handoff_name_of(target),
            )
            for target in self.entry.spec.handoffs
        ]

    def _interrupts(self, functions: list[str]) -> list[Interrupt]:
        """The approvals, by the names of the tools."""
        names = iter(functions)
        found = []
        for tool in self.entry.spec.tools:
            if tool.function is not None:
                name = next(names)
            elif tool.agent is not None:
                name = str(tool_name_of(tool))
            else:
                continue
            if tool.approval is not None and tool.approval.mode == "Always":
                found.append(Interrupt(name, **_approval(tool.approval)))
        for server, tool, _ in named_mcp_tools(self.entry.spec):
            if tool.approval is not None and tool.approval.mode != "Never":
                only = {"destructive": True} if tool.approval.mode == "Destructive" else {}
                found.append(Interrupt(server=server, **only, **_approval(tool.approval)))
        return found


def _given(**fields: Any) -> dict[str, Any]:
    """The fields that say something."""
    return {name: value for name, value in fields.items() if value is not None}


def _is_asked_about_each_question(tool: ManifestTool) -> bool:
    return tool.retriever is not None and tool.retriever.description is None


def _retriever(tool: ManifestTool) -> QdrantRetriever:
    """The store, by the name that `rojak.hosting.providers.build_retrievers` serves it under."""
    assert tool.retriever is not None
    timeout = seconds_of(tool.retriever.timeout) if "timeout" in tool.retriever.model_fields_set else None
    return QdrantRetriever(**_given(name=tool_name_of(tool), timeout_in_seconds=timeout))


def _approval(approval: Approval) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if approval.question is not None:
        fields["question"] = approval.question
    if approval.timeout is not None:
        fields["timeout_in_seconds"] = seconds_of(approval.timeout)
    if approval.on_timeout is not None:
        fields["on_timeout"] = approval.on_timeout.lower()
    return fields


def _limits(spec: AgentSpec) -> AgentLimits | None:
    given = spec.limits
    fields: dict[str, Any] = {
        name: getattr(given, name)
        for name in ("max_turns", "max_tool_calls", "max_tokens_total")
        if getattr(given, name) is not None
    }
    if given.run_timeout is not None:
        fields["run_timeout"] = seconds_of(given.run_timeout)
    if spec.history.size is not None:
        fields["history_size"] = spec.history.size
    if spec.history.compaction is not None:
        fields["compaction"] = Compaction(**spec.history.compaction.model_dump(exclude_unset=True))
    return AgentLimits(**fields) if fields else None


def _retry_options(spec: AgentSpec) -> RetryOptions | None:
    retry = spec.retry
    fields: dict[str, Any] = {}
    if "timeout" in retry.model_fields_set:
        fields["timeout_in_seconds"] = seconds_of(retry.timeout)
    policy: dict[str, Any] = {
        "maximum_attempts": retry.max_attempts,
        "initial_interval_in_seconds": retry.initial_interval and seconds_of(retry.initial_interval),
        "maximum_interval_in_seconds": retry.max_interval and seconds_of(retry.max_interval),
        "backoff_coefficient": retry.backoff_coefficient,
        "non_retryable_error_types": retry.non_retryable_errors,
    }
    if policy := {name: value for name, value in policy.items() if value is not None}:
        fields["retry_policy"] = RetryPolicy(**policy)
    return RetryOptions(**fields) if fields else None
