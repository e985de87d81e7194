"""Agents, and the activities that call their models. Importing this needs no provider's SDK."""

from rojak.agents.anthropic_agent import AnthropicAgent, AnthropicAgentActivities, AnthropicAgentOptions
from rojak.agents.base import AgentActivities, AgentOptions, CompletionRequest
from rojak.agents.errors import EmptyCompletionError, MalformedResponseError, ProviderFailure
from rojak.agents.openai_agent import OpenAIAgent, OpenAIAgentActivities, OpenAIAgentOptions
from rojak.types.agent import (
    Agent,
    AgentExecuteFnResult,
    AgentInstructionOptions,
    AgentLimits,
    AgentRef,
    Interrupt,
)
from rojak.types.agent_tool import AgentTool
from rojak.types.handoff import HandOffTool

__all__ = [
    "Agent",
    "AgentActivities",
    "AgentExecuteFnResult",
    "AgentInstructionOptions",
    "AgentLimits",
    "AgentOptions",
    "AgentRef",
    "AgentTool",
    "AnthropicAgent",
    "AnthropicAgentActivities",
    "AnthropicAgentOptions",
    "CompletionRequest",
    "EmptyCompletionError",
    "HandOffTool",
    "Interrupt",
    "MalformedResponseError",
    "OpenAIAgent",
    "OpenAIAgentActivities",
    "OpenAIAgentOptions",
    "ProviderFailure",
]
