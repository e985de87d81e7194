"""Plain data that every part of Rojak shares, and that users build and read."""

from rojak.types.agent import (
    Agent,
    AgentExecuteFnResult,
    AgentInstructionOptions,
    AgentLimits,
    AgentRef,
    Interrupt,
)
from rojak.types.agent_tool import AgentTool
from rojak.types.compaction import Compaction
from rojak.types.content import ImagePart, TextPart
from rojak.types.handoff import HandOffTool
from rojak.types.mcp import MCPServerConfig
from rojak.types.messages import ConversationMessage, FunctionCall, ToolCall, Usage
from rojak.types.retriever import Passage, Retriever, RetrieverTool
from rojak.types.retry import RetryOptions, RetryPolicy
from rojak.types.session import (
    LimitReached,
    OrchestratorResponse,
    ResumeRequest,
    ResumeResponse,
    Retrieval,
    SessionConfig,
    TaskParams,
    UpdateConfigParams,
)

__all__ = [
    "Agent",
    "AgentExecuteFnResult",
    "AgentInstructionOptions",
    "AgentLimits",
    "AgentRef",
    "AgentTool",
    "Compaction",
    "ConversationMessage",
    "FunctionCall",
    "HandOffTool",
    "ImagePart",
    "Interrupt",
    "LimitReached",
    "MCPServerConfig",
    "OrchestratorResponse",
    "Passage",
    "ResumeRequest",
    "ResumeResponse",
    "Retrieval",
    "Retriever",
    "RetrieverTool",
    "RetryOptions",
    "RetryPolicy",
    "SessionConfig",
    "TaskParams",
    "TextPart",
    "ToolCall",
    "UpdateConfigParams",
    "Usage",
]
