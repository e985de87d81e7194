"""What a caller gives to a session and gets back from it."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from rojak.types.agent import Agent, AnyAgent
from rojak.types.compaction import Compaction
from rojak.types.content import check_content
from rojak.types.messages import ConversationMessage, Usage

SessionType = Literal["persistent", "stateless"]


def check_messages(value: Any) -> Any:
    """Name the message that cannot be one, and what it lacks.

    Raises:
        ValueError: a message is neither a dictionary nor a ConversationMessage, has no role, or shows what is
            neither text nor an image that a session can carry.
    """
    if not isinstance(value, list | tuple):
        raise ValueError("messages must be a list of messages, for instance [{'role': 'user', 'content': 'Hi'}]")
    for index, message in enumerate(value):
        if isinstance(message, ConversationMessage):
            _check_content(index, message.content)
            continue
        if not isinstance(message, dict):
            raise ValueError(
                f"message {index} is a {type(message).__name__}; give a dictionary or a ConversationMessage"
            )
        if not message.get("role"):
            raise ValueError(
                f"message {index} has no 'role'; add one of 'user', 'assistant', 'system', 'developer', 'tool'"
            )
        _check_content(index, message.get("content"))
    return list(value)


def _check_content(index: int, content: Any) -> None:
    try:
        check_content(content)
    except ValueError as error:
        raise ValueError(f"message {index}, {error}") from None


class TaskParams(BaseModel):
    """What an agent is asked to do.

    Attributes:
        agent: who begins. In a persistent session it may be left out later: the active agent goes on.
        messages: what is said to it; in a persistent session, what is new.
        context_variables: given to functions; in a persistent session merged into what is there.
    """

    model_config = ConfigDict(extra="forbid")

    agent: AnyAgent | None = None
    messages: list[ConversationMessage]
    context_variables: dict[str, Any] = {}

    @field_validator("messages", mode="before")
    @classmethod
    def _messages_are_messages(cls, value: Any) -> Any:
        return check_messages(value)

    @field_validator("agent", mode="before")
    @classmethod
    def _agent_type_is_known(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("type") not in Agent.known_types:
            known = ", ".join(sorted(Agent.known_types)) or "none (import rojak.agents)"
            raise ValueError(f"unknown agent type {value.get('type')!r}; known types: {known}")
        return value


class ResumeRequest(BaseModel):
    """A tool call that waits for a human.

    Attributes:
        tool_id: id of the call; the ResumeResponse names it.
        tool_name: the function.
        tool_arguments: what it would be called with, as JSON.
        task_id: the task whose turn waits.
        question: what the human is asked.
        when: the call waits before it is made.
        agent_name: the agent that wants to call it.
        asked_at: since when it waits, in seconds since the epoch; None where the session began with an older version.
        expires_at: when the time-out of the interrupt acts, in seconds since the epoch; None if never.
    """

    tool_id: str
    tool_name: str
    tool_arguments: str
    task_id: str
    question: str
    when: Literal["before"] = "before"
    agent_name: str | None = None
    asked_at: float | None = None
    expires_at: float | None = None


class ResumeResponse(BaseModel):
    """A human's decision on one tool call.

    Attributes:
        action: approve or reject.
        tool_id: the call, as the ResumeRequest named it.
        content: on rejection, what the model is told.
        tool_arguments: on approval, the arguments to call with instead: a JSON object as text, or a dictionary.
    """

    model_config = ConfigDict(extra="forbid")

    action: Literal["approve", "reject"]
    tool_id: str
    content: str | None = None
    tool_arguments: str | None = None

    @field_validator("tool_arguments", mode="before")
    @classmethod
    def _arguments_as_json(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return json.dumps(value)
        if isinstance(value, str):
            try:
                parsed = json.loads(value)
            except json.JSONDecodeError as error:
                raise ValueError(f"tool_arguments is not JSON: {error}") from None
            if not isinstance(parsed, dict):
                raise ValueError('tool_arguments must be a JSON object, for instance {"amount": 3}')
        return value


LimitKind = Literal["max_turns", "max_tool_calls", "max_tokens_total", "run_timeout"]


class LimitReached(BaseModel):
    """The limit that ended a run before the model had answered.

    Attributes:
        kind: which one, by the name under which it was set.
        limit: what it was: messages, tool calls, tokens or seconds.
        used: how much of that the run had used when it ended. Tokens may be more than the limit: a model call is not
            stopped in the middle because of them.
    """

    kind: LimitKind
    limit: float
    used: float


class Retrieval(BaseModel):
    """An agent's retriever was asked, for the instructions of this turn.

    Attributes:
        index: of the message that was generated next.
        agent_name: whose retriever.
        retriever: its type, and its name if it has one: ``"qdrant"``, ``"qdrant/handbook"``.
        sources: where what was found comes from, each once; empty when nothing was found, or the store failed.
        error_type: for a failure, the name of the cause. The turn went on without the knowledge.
        reason: for a failure, what can be done about it.
    """

    index: int
    agent_name: str
    retriever: str
    sources: list[str] = []
    error_type: str | None = None
    reason: str | None = None


class OrchestratorResponse(BaseModel):
    """What came of a task.

    Attributes:
        messages: the conversation: what the caller passed (in a persistent session, what is kept), then what was
            generated. Pass it into the next call to go on.
        agent: the agent that spoke last.
        context_variables: as they are now.
        usage: tokens of this task's model calls.
        session_usage: tokens of all the session's model calls so far.
        limit: the limit that ended the run early; None where the model came to an answer.
        output: the answer of an agent that has an ``output_type``: an object of it where this process knows the
            type, plain JSON data elsewhere. None where there is no such answer.
        retrievals: what the agents' retrievers found, or that they failed.
        messages_missing: how many of the oldest messages are missing in ``messages``, where the session did not keep
            them until the caller came for them. 0 as a rule.
    """

    messages: list[ConversationMessage]
    agent: AnyAgent | None = None
    context_variables: dict[str, Any] = {}
    usage: Usage = Usage()
    session_usage: Usage = Usage()
    limit: LimitReached | None = None
    output: Any = None
    retrievals: list[Retrieval] = []
    messages_missing: int = 0


class UpdateConfigParams(BaseModel):
    """Changes to a live persistent session; what is left out stays.

    Attributes:
        messages: replaces the conversation that is kept. Only between turns.
        context_variables: replaces the context variables.
        max_turns: messages that one task may generate; ``float("inf")`` for no limit.
        history_size: messages kept from one turn to the next; ``float("inf")`` for no limit.
        debug: whether the worker logs each step.
        max_tool_calls: tool calls that one task may make; ``float("inf")`` for no limit.
        max_tokens_total: tokens, input and output together, that the model calls of one task may cost;
            ``float("inf")`` for no limit.
        run_timeout: seconds that one task may take; ``float("inf")`` for no limit.
        compaction: when older messages are summarised; False for not at all.
    """

    model_config = ConfigDict(extra="forbid")

    messages: list[ConversationMessage] | None = None
    context_variables: dict[str, Any] | None = None
    max_turns: float | None = Field(default=None, ge=0)
    history_size: float | None = Field(default=None, ge=0)
    debug: bool | None = None
    max_tool_calls: float | None = Field(default=None, ge=0)
    max_tokens_total: float | None = Field(default=None, ge=0)
    run_timeout: float | None = Field(default=None, gt=0)
    compaction: Compaction | Literal[False] | None = None

    @field_validator("messages", mode="before")
    @classmethod
    def _messages_are_messages(cls, value: Any) -> Any:
        return value if value is None else check_messages(value)


class SessionConfig(BaseModel):
    """A session's settings and what it keeps, as `Rojak.get_config` answers.

    Limits are None where there is none.
    """

    type: SessionType
    messages: list[ConversationMessage] = []
    agent: AnyAgent | None = None
    context_variables: dict[str, Any] = {}
    max_turns: int | None = None
    history_size: int | None = None
    debug: bool = False
    usage: Usage = Usage()
    max_tool_calls: int | None = None
    max_tokens_total: int | None = None
    run_timeout: float | None = None
    compaction: Compaction | None = None
