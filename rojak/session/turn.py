"""The turn in progress, with the tool calls of its current step: what makes a session go on where it was."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from rojak.session.family import Delegation
from rojak.session.routes import FunctionRoute, Route
from rojak.session.stored import Stored
from rojak.types.activities import ToolFailed, ToolReturned
from rojak.types.agent import AnyAgent
from rojak.types.messages import ToolCall, Usage
from rojak.types.session import LimitReached, Retrieval


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
