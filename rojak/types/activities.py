"""What crosses between a session's workflow and the activities that a worker runs: plain data, both ways.

An activity answers with an outcome; exceptions across this boundary mean that the infrastructure, or the provider of
the model, failed. Histories hold these types, so a field may be added with a default, and never change its meaning.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from rojak.types.agent import Agent, AnyAgent
from rojak.types.catalog import ToolCatalog
from rojak.types.messages import ConversationMessage, Usage
from rojak.types.retriever import AnyRetriever

#: Names under which the activities are registered; workflow code calls them by name and imports none of them.
CALL_MODEL = "rojak.call_model"
CALL_TOOL = "rojak.call_tool"
CALL_MCP_TOOL = "rojak.call_mcp_tool"
RETRIEVE = "rojak.retrieve"
SUMMARISE = "rojak.summarise"

#: Queries by which an activity fetches what its input left out, because it was large and was sent before.
WINDOW_QUERY = "rojak.window"
FRAME_QUERY = "rojak.frame"
CATALOG_QUERY = "rojak.catalog"

#: Seconds for each try of a query of a session, the last one for all that follow. A query can be lost: a worker that
#: just then forgets the workflow, to make room for others, drops it, and Temporal notices when the time of the call is
#: over. So that time is short at first. A worker that takes a session over replays it, which takes less than a second.
QUERY_PATIENCE = (3.0, 6.0, 12.0, 30.0)


class ContextWindow(BaseModel):
    """The messages that a model call sees: those with absolute indexes ``start`` to ``end`` (exclusive).

    Attributes:
        start: index of the first message.
        end: index after the last one.
        previous: id of the message that the last model call generated; its worker has cached the window up to it.
        messages: the last messages of the window. All of it when there are ``end - start`` of them.
    """

    start: int = 0
    end: int
    previous: str | None = None
    messages: list[ConversationMessage] = []


class StreamPosition(BaseModel):
    """Where in the session a streamed text belongs; with the attempt it tells a reader when to start over."""

    turn: int
    step: int


class Frame(BaseModel):
    """What a session has besides its conversation, as the frame query answers.

    Attributes:
        agent: the active agent.
        context_variables: as they are now.
        retrieved: what the agent's retriever found for this turn.
    """

    agent: AnyAgent
    context_variables: dict[str, Any] = {}
    retrieved: str | None = None


def digest_agent(agent: Agent) -> str:
    """A short name for exactly this agent: it is sent once in a run of a session, and called by this from then on.

    Both sides make it from the same data. Where they should ever differ, the worker asks the session for the agent.
    """
    text = agent.model_dump_json(exclude_unset=True)
    return base64.urlsafe_b64encode(hashlib.blake2b(text.encode(), digest_size=9).digest()).decode()


class ModelRequest(BaseModel):
    """Input of the model activity.

    Attributes:
        window: the conversation, or the end of it.
        agent: None when this run of the session sent it before: then it is found by ``agent_key``.
        agent_key: `digest_agent` of the agent that is not sent.
        context_variables: for instructions that are a function.
        fetch_context: they are too large to be sent with each call: ask the session.
        retrieved: what the agent's retriever found for this turn.
        fetch_retrieved: that is too large to be sent with each call of the turn: ask the session.
        stream: set when somebody listens to the text as it is generated.
        refresh: set when the agent comes by name and its current definition is wanted: the revision that the session
            has, or empty text.
        catalog: digest of the session's tool catalog; None when it has none.
        list_tools: the catalog may be another one from this call on, which is the first of a turn or of an agent.
    """

    window: ContextWindow
    agent: AnyAgent | None = None
    agent_key: str | None = None
    context_variables: dict[str, Any] = {}
    fetch_context: bool = False
    retrieved: str | None = None
    fetch_retrieved: bool = False
    stream: StreamPosition | None = None
    refresh: str | None = None
    catalog: str | None = None
    list_tools: bool = False


class RetrieveResult(BaseModel):
    """Output of the retrieval activity.

    Attributes:
        text: what was found, for the model; empty when nothing was, None when the store failed.
        sources: where it comes from, each once.
        error_type: for a failure, the name of the cause.
        reason: for a failure, what an operator can do about it; no text of the store or of the conversation.
    """

    text: str | None = None
    sources: list[str] = []
    error_type: str | None = None
    reason: str | None = None


class Refreshed(BaseModel):
    """What the worker that made a model call knows, and the session did not: None means that nothing is new.

    It comes with the reply, so that keeping up costs no activity of its own.

    Attributes:
        agent: the active agent as the worker's configuration has it now.
        catalog: the tools of the worker's MCP servers as they are now.
        retrieved: what the agent's retriever found, where the session did not know yet that the agent has one.
    """

    agent: AnyAgent | None = None
    catalog: ToolCatalog | None = None
    retrieved: RetrieveResult | None = None


class OutputProblem(BaseModel):
    """Why an answer does not fit its agent's schema.

    Attributes:
        field: where, by names that the schema has; empty for the answer as a whole.
        rule: the keyword of the schema that it breaks, or ``"json"`` for what is no JSON.
        message: for the model.
    """

    field: str = ""
    rule: str
    message: str


class ModelReply(ConversationMessage):
    """Output of the model activity: the message, and what the session has to know to judge it."""

    refreshed: Refreshed | None = None
    problem: OutputProblem | None = None

    def message(self) -> ConversationMessage:
        """The message alone, as a conversation keeps it."""
        kept = self.model_fields_set - {"refreshed", "problem"}
        return ConversationMessage.model_construct(**{name: getattr(self, name) for name in kept})


class ToolRequest(BaseModel):
    """Input of the tool activity.

    Attributes:
        agent_type: which activities know the function.
        agent_name: whose call it is.
        call_id: the model's id of the call.
        turn: number of the turn; session id, turn and call id together are the call's idempotency key.
        name: the function.
        arguments: JSON as the model, or the human who approved the call, wrote it.
        context_variables: as they are now.
        fetch_context: they are too large to be sent with each call: ask the session.
        timeout_in_seconds: how long the function may take.
        raise_errors: whether an exception of the function is raised, so that the user's retry policy sees it,
            rather than returned.
    """

    agent_type: str
    agent_name: str
    call_id: str
    turn: int = 1
    name: str
    arguments: str
    context_variables: dict[str, Any] = {}
    fetch_context: bool = False
    timeout_in_seconds: float = 60.0
    raise_errors: bool = False


class MCPToolRequest(BaseModel):
    """Input of the activity that calls a tool of an MCP server.

    Attributes:
        server: its name in the worker's configuration.
        tool: the server's own name for the tool.
        name: under which the model called it.
        agent_name: whose call it is.
        call_id: the model's id of the call.
        turn: number of the turn; session id, turn and call id together are the call's idempotency key.
        arguments: JSON as the model, or the human who approved the call, wrote it.
        timeout_in_seconds: how long the call may take.
        raise_errors: whether a server that is down or does not answer is raised, so that the user's retry policy sees
            it, rather than returned.
    """

    server: str
    tool: str
    name: str
    agent_name: str
    call_id: str
    turn: int = 1
    arguments: str
    timeout_in_seconds: float = 60.0
    raise_errors: bool = False


class PatchOperation(BaseModel):
    """One change of the context variables: the value at ``path`` is set, or deleted when ``op`` is ``"delete"``."""

    path: list[str]
    op: Literal["set", "delete"] = "set"
    value: Any = None


class ToolReturned(BaseModel):
    """The function returned. ``agent`` hands over; ``patch`` is what it changed in the context variables.

    ``parts`` is the whole answer as content parts in OpenAI's form where it is more than text; ``output`` is its text.
    """

    kind: Literal["returned"] = "returned"
    output: str
    parts: list[dict[str, Any]] | None = None
    patch: list[PatchOperation] = []
    agent: AnyAgent | None = None

    def model_post_init(self, context: Any, /) -> None:
        """Keep the tag of the union on the wire although it is a default."""
        self.__pydantic_fields_set__.add("kind")


class ToolFailed(BaseModel):
    """The call could not be made, or the function raised. ``message`` is written for the model."""

    kind: Literal["failed"] = "failed"
    error_type: str
    message: str

    def model_post_init(self, context: Any, /) -> None:
        """Keep the tag of the union on the wire although it is a default."""
        self.__pydantic_fields_set__.add("kind")


ToolOutcome = Annotated[ToolReturned | ToolFailed, Field(discriminator="kind")]


class SummaryRequest(BaseModel):
    """Input of the summary activity.

    Attributes:
        agent: whose model summarises, without what a summary does not need.
        conversation: the messages as one text. Each is summarised once, so sending them does not make the history
            grow with the square of the conversation.
        instructions: for the model; None means Rojak's own.
    """

    agent: AnyAgent
    conversation: str
    instructions: str | None = None


class SummaryResult(BaseModel):
    """Output of the summary activity."""

    text: str
    usage: Usage = Usage()


class RetrieveRequest(BaseModel):
    """Input of the retrieval activity: which store, and the text to look for."""

    retriever: AnyRetriever
    query: str
