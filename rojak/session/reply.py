"""What a session tells the caller of a task, and what of it need not travel."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from rojak.session.task import Task
from rojak.session.turn import HandOff
from rojak.types.agent import AnyAgent
from rojak.types.messages import ConversationMessage, Usage
from rojak.types.session import LimitReached, ResumeRequest, Retrieval, SessionType


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
