"""Everything a session is, as plain data.

The state crosses continue-as-new as JSON, in the middle of a turn too, so nothing of a session may live elsewhere.
Positions in the conversation are absolute: the first message ever said has index 0 for good, and ``base`` is the
index of the oldest message that is still kept.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from rojak.session.family import Caller, Decision, Delegation
from rojak.session.routes import FunctionRoute, Route
from rojak.session.stored import Stored
from rojak.types.activities import ToolFailed, ToolReturned
from rojak.types.agent import AnyAgent
from rojak.types.catalog import ToolCatalog
from rojak.types.compaction import Compaction
from rojak.types.messages import ConversationMessage, ToolCall, Usage
from rojak.types.session import LimitReached, ResumeRequest, Retrieval, SessionType

#: Version of the state's schema. A reader of a newer version knows how to read the older ones.
SCHEMA_VERSION = 1


class Settings(BaseModel):
    """Limits of a session. None means no limit.

    In a `Task` only the fields that are set count; the others leave the session's as they are.
    """

    max_turns: int | None = None
    history_size: int | None = 10
    debug: bool = False
    max_tool_calls: int | None = None
    max_tokens_total: int | None = None
    run_timeout: float | None = None
    compaction: Compaction | None = None

    def changed_by(self, other: Settings) -> Settings:
        """These settings with the ones that are set in ``other``."""
        return self.model_copy(update={name: getattr(other, name) for name in other.model_fields_set})


class Task(BaseModel):
    """What a caller asks for, as it is sent. ``id`` makes sending it twice the same as sending it once.

    ``trace`` is the caller's ``traceparent``, where it traces.
    """

    id: str
    messages: list[ConversationMessage]
    agent: AnyAgent | None = None
    context_variables: dict[str, Any] = {}
    settings: Settings = Settings()
    stream: bool = False
    trace: str | None = None


class ToolRejected(BaseModel):
    """A human, the time-out of an interrupt or a limit of the run said no. ``feedback`` is for the model."""

    kind: Literal["rejected"] = "rejected"
    feedback: str

    def model_post_init(self, context: Any, /) -> None:
        """Keep the tag of the union on the wire although it is a default."""
        self.__pydantic_fields_set__.add("kind")


CallOutcome = Annotated[ToolReturned | ToolFailed | ToolRejected, Field(discriminator="kind")]


class PendingCall(Stored):
    """A tool call of the turn's current step.

    Attributes:
        call: as the model asked for it.
        route: where it goes.
        waiting: whether a human has to decide first.
        question: what the human is asked.
        asked_at: since when the human is asked, in seconds since the epoch.
        expires_at: when the interrupt's time-out acts, in seconds since the epoch.
        on_timeout: what it does.
        arguments: what a human wants the function to be called with instead.
        outcome: what came of the call; None as long as it is to be made.
        delegation: the session that works on it, where another agent was called.
    """

    call: ToolCall
    route: Route = FunctionRoute()
    waiting: bool = False
    question: str = ""
    asked_at: float | None = None
    expires_at: float | None = None
    on_timeout: Literal["reject", "approve", "fail"] = "reject"
    arguments: str | None = None
    outcome: CallOutcome | None = None
    delegation: Delegation | None = None

    @property
    def final_arguments(self) -> str:
        """What the call is made with, as JSON."""
        return self.call.function.arguments if self.arguments is None else self.arguments


class HandOff(BaseModel):
    """The conversation went from one agent to another when the message at ``index`` was to follow."""

    index: int
    from_agent: str
    to_agent: str


class Turn(Stored):
    """The turn in progress.

    Attributes:
        task_id: the task that it answers.
        number: turns of the session, counted from 1.
        begin: index of the task's first message; a failed turn goes back to it.
        first: index of the first generated message.
        step: model calls made.
        calls: the tool calls of the last model call, until all have an outcome.
        max_turns: messages that may be generated.
        agent_before: the active agent before the turn.
        context_before: the context variables before the turn.
        retrieval: what became of the agent's retriever: still to be asked, asked, or there is none.
        retrieved: what it found.
        retrievals: each time that a retriever was asked, with the sources; as many as have room.
        usage: tokens of the turn's model calls.
        handoffs: who handed over to whom.
        next_agent: whom the calls settled so far hand over to, once all of the step are.
        stream: whether somebody listens to the text.
        max_tool_calls: tool calls that may be made.
        max_tokens_total: tokens that the turn's model calls may cost.
        run_timeout: seconds that the turn may take.
        deadline: when they are over, in seconds since the epoch.
        tool_calls: tool calls that the limits let through.
        limit: the limit that ends the turn, once one does.
        misfits: answers that did not fit the agent's schema.
        refresh: the active agent came by name, and the next model call brings its current definition.
        trace: the caller's ``traceparent``, where it traces.
        began: when the turn did, in seconds since the epoch.
        delegated: calls that other sessions were started for.
    """

    task_id: str
    number: int
    begin: int
    first: int
    step: int = 0
    calls: list[PendingCall] = []
    max_turns: int | None = None
    agent_before: AnyAgent | None = None
    context_before: dict[str, Any] = {}
    retrieval: Literal["none", "wanted", "done"] = "none"
    retrieved: str | None = None
    retrievals: list[Retrieval] = []
    usage: Usage = Usage()
    handoffs: list[HandOff] = []
    next_agent: AnyAgent | None = None
    stream: bool = False
    max_tool_calls: int | None = None
    max_tokens_total: int | None = None
    run_timeout: float | None = None
    deadline: float | None = None
    tool_calls: int = 0
    limit: LimitReached | None = None
    misfits: int = 0
    refresh: bool = False
    trace: str | None = None
    began: float = 0.0
    delegated: int = 0


class Reply(BaseModel):
    """What a waiting caller is told.

    Attributes:
        kind: answered, waiting for approval, failed, cancelled; or without an answer: the session rolled over, ask
            again, or too many wait for it already, look for the answer.
        task_id: the task.
        session_type: of the session.
        base: index of the oldest message kept when the reply was made.
        begin: index of the task's first message.
        first: index of the first generated message.
        end: index after the last one.
        messages: what was generated, from ``first`` to ``end``.
        agent: the agent that spoke last.
        context_variables: as they were then.
        usage: tokens of a failed turn, of which no message tells; those of another turn are its messages'.
        session_usage: tokens of a persistent session.
        interrupts: the calls that wait for approval.
        error_type: for a failure, the name of the cause.
        reason: its text.
        limit: the limit that ended the turn before there was an answer.
        retrievals: each time that a retriever was asked.
    """

    kind: Literal["done", "interrupted", "failed", "cancelled", "continued", "queued"] = "done"
    task_id: str = ""
    session_type: SessionType = "persistent"
    base: int = 0
    begin: int = 0
    first: int = 0
    end: int = 0
    messages: list[ConversationMessage] = []
    agent: AnyAgent | None = None
    context_variables: dict[str, Any] = {}
    usage: Usage = Usage()
    session_usage: Usage = Usage()
    interrupts: list[ResumeRequest] = []
    handoffs: list[HandOff] = []
    error_type: str | None = None
    reason: str | None = None
    limit: LimitReached | None = None
    retrievals: list[Retrieval] = []

    def for_sender_of(self, task: Task) -> Reply:
        """The reply without what whoever has the task knows: `restored` puts it back. Histories hold each reply."""
        fields = {name: getattr(self, name) for name in self.model_fields_set}
        del fields["task_id"]
        if self.kind == "done":
            fields = {name: value for name, value in fields.items() if name not in ("kind", "session_type")}
            if self.agent == task.agent:
                fields.pop("agent", None)
            if self.first == self.begin + len(task.messages):
                fields.pop("first", None)
            if self.end == self.first + len(self.messages):
                fields.pop("end", None)
            if self.messages and task.agent is not None:
                fields["messages"] = [_without_sender(message, task.agent.name) for message in self.messages]
        return Reply.model_construct(**fields)

    def restored(self, task: Task, session_type: SessionType) -> Reply:
        """The reply to this task, whole again. One that is whole stays as it is."""
        fields: dict[str, Any] = {"task_id": task.id}
        if self.kind == "done":
            first = self.first if "first" in self.model_fields_set else self.begin + len(task.messages)
            fields |= {"session_type": session_type, "agent": task.agent, "first": first}
            fields["end"] = first + len(self.messages)
        fields |= {name: getattr(self, name) for name in self.model_fields_set}
        if self.messages and task.agent is not None:
            fields["messages"] = [_with_sender(message, task.agent.name) for message in self.messages]
        return Reply.model_construct(**fields)


def _without_sender(message: ConversationMessage, name: str) -> ConversationMessage:
    if message.sender != name:
        return message
    kept = message.model_fields_set - {"sender"}
    return ConversationMessage.model_construct(**{name: getattr(message, name) for name in kept})


def _with_sender(message: ConversationMessage, name: str) -> ConversationMessage:
    # What a user says in a turn is the session's correction of an answer, and nobody's.
    return (
        message if message.sender is not None or message.role == "user" else message.model_copy(update={"sender": name})
    )


class Summary(BaseModel):
    """A summary of the messages with absolute indexes ``start`` to ``end`` (exclusive), and the tokens it cost.

    It waits for the next turn: until that begins, whoever asks for the last answer gets the conversation around it.
    """

    start: int
    end: int
    text: str
    usage: Usage = Usage()


class SessionState(Stored):
    """A session.

    Attributes:
        version: schema of this state.
        type: persistent or stateless.
        base: index of ``transcript[0]``.
        transcript: the messages that are kept.
        transcript_bytes: their size as JSON.
        agent: the active agent.
        context_variables: shared by the agents' functions.
        catalog: the tools of MCP servers, as the worker that made the last model call found them.
        settings: limits.
        queue: tasks that wait for their turn.
        turn: the turn in progress.
        turns: turns begun so far.
        mailbox: replies by task id, the oldest first, bounded.
        mailbox_sizes: bytes of each of them as JSON.
        answered: ids of tasks that were answered, the oldest first, bounded; longer than the mailbox.
        resumed: tasks by id of the resume that was applied to them, bounded; makes a resume idempotent.
        latest_task: the task that came last.
        usage: tokens of all model calls.
        task_queue: the queue of the session itself, once an agent that came by name told it.
        definitions: agents that came by name and may come back, by queue and name: those of this turn, and pinned ones.
        caller: the session that this one works for, where an agent was called as a tool.
        outbox: decisions to be sent on to children. Empty when the session rolls over.
        dropped: children that are to be cancelled.
        summary: of older messages, which takes their place when the next turn begins.
        summary_failed_at: end of the conversation when a summary of it failed; it is not tried again before more
            is said.
        summary_error: name of that failure.
    """

    version: int = SCHEMA_VERSION
    type: SessionType = "persistent"
    base: int = 0
    transcript: list[ConversationMessage] = []
    transcript_bytes: int = 0
    agent: AnyAgent | None = None
    context_variables: dict[str, Any] = {}
    catalog: ToolCatalog | None = None
    settings: Settings = Settings()
    queue: list[Task] = []
    turn: Turn | None = None
    turns: int = 0
    mailbox: dict[str, Reply] = {}
    mailbox_sizes: dict[str, int] = {}
    answered: list[str] = []
    resumed: dict[str, str] = {}
    latest_task: str | None = None
    usage: Usage = Usage()
    task_queue: str | None = None
    definitions: dict[str, AnyAgent] = {}
    caller: Caller | None = None
    outbox: list[Decision] = []
    dropped: list[str] = []
    summary: Summary | None = None
    summary_failed_at: int | None = None
    summary_error: str | None = None

    @property
    def end(self) -> int:
        """Index after the last message."""
        return self.base + len(self.transcript)
