"""How a worker calls the models of one provider: the extension point next to `rojak.types.Agent`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from rojak.tools.registry import FunctionRegistry
from rojak.types.agent import Agent
from rojak.types.messages import ConversationMessage


@dataclass(frozen=True, slots=True)
class ProviderFailure:
    error_type: str
    message: str
    retryable: bool
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    agent: Agent
    instructions: str
    messages: Sequence[ConversationMessage]
    tools: list[dict[str, Any]]
    on_text: Callable[[str], None] | None = None


class AgentActivities(ABC):
    agent_type: ClassVar[str]
    functions: FunctionRegistry

    @abstractmethod
    async def complete(self, request: CompletionRequest) -> ConversationMessage: ...

    def classify(self, error: Exception) -> ProviderFailure | None:
        return None

    async def close(self) -> None:
        """Release."""
