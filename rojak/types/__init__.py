"""Plain data that every part of Rojak shares, and that users build and read."""

from rojak.types.agent import Agent, AgentExecuteFnResult, AgentInstructionOptions, Interrupt
from rojak.types.agent_tool import AgentTool
from rojak.types.mcp import MCPServerConfig
from rojak.types.messages import ConversationMessage, FunctionCall, ToolCall, Usage
from rojak.types.retriever import Retriever
from rojak.types.retry import RetryOptions, RetryPolicy
from rojak.types.session import (
    LimitReached,
    OrchestratorResponse,
    ResumeRequest,
    ResumeResponse,
    SessionConfig,
    TaskParams,
    UpdateConfigParams,
)

__all__ = [
    "Agent",
    "AgentExecuteFnResult",
    "AgentInstructionOptions",
    "AgentTool",
    "ConversationMessage",
    "FunctionCall",
    "Interrupt",
    "LimitReached",
    "MCPServerConfig",
    "OrchestratorResponse",
    "ResumeRequest",
    "ResumeResponse",
    "Retriever",
    "RetryOptions",
    "RetryPolicy",
    "SessionConfig",
    "TaskParams",
    "ToolCall",
    "UpdateConfigParams",
    "Usage",
]
