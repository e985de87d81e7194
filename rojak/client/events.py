"""What a caller who watches a run sees of it, one event after another."""

from __future__ import annotations

from dataclasses import dataclass

from rojak.types.session import OrchestratorResponse, ResumeRequest


@dataclass(frozen=True)
class Started:
    """The task has its turn; ``agent_name`` begins."""

    task_id: str
    agent_name: str | None


@dataclass(frozen=True)
class TextDelta:
    """A piece of an answer's text.

    Attributes:
        text: what follows the pieces before.
        agent_name: who speaks.
        turn: number of the session's turn.
        step: model calls of the turn before this one.
        attempt: from 1.
        seq: counts the pieces of the attempt.
        reset: what was shown of this step is void: another attempt began, and starts with this piece.
    """

    text: str
    agent_name: str | None
    turn: int
    step: int
    attempt: int
    seq: int
    reset: bool = False


@dataclass(frozen=True)
class Retrieved:
    """The agent's retriever was asked for what belongs to this turn.

    Attributes:
        agent_name: whose retriever.
        retriever: its type, and its name if it has one: ``"qdrant"``, ``"qdrant/handbook"``.
        sources: where what was found comes from, each once; empty when there was nothing.
    """

    agent_name: str
    retriever: str
    sources: list[str]


@dataclass(frozen=True)
class RetrievalFailed:
    """The agent's retriever failed, and the agent goes on without.

    Attributes:
        agent_name: whose retriever.
        retriever: its type, and its name if it has one.
        error_type: name of the cause.
        reason: what can be done about it.
    """

    agent_name: str
    retriever: str
    error_type: str
    reason: str


@dataclass(frozen=True)
class ToolCalled:
    """The model asked for a call. ``arguments`` is JSON as the model wrote it."""

    agent_name: str | None
    tool_id: str
    tool_name: str
    arguments: str


@dataclass(frozen=True)
class ToolResult:
    """What the model is told of a call."""

    tool_id: str
    tool_name: str
    content: str


@dataclass(frozen=True)
class HandedOff:
    """Another agent goes on."""

    from_agent: str
    to_agent: str


@dataclass(frozen=True)
class WaitingForApproval:
    """Tool calls wait for humans. The stream ends here; resume with ``run`` or ``stream``."""

    requests: list[ResumeRequest]


@dataclass(frozen=True)
class Done:
    """The answer. The stream ends here."""

    task_id: str
    result: OrchestratorResponse


Event = (
    Started | Retrieved | RetrievalFailed | TextDelta | ToolCalled | ToolResult | HandedOff | WaitingForApproval | Done
)
