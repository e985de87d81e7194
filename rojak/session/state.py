"""Everything a session is, as plain data.

The state crosses continue-as-new as JSON, in the middle of a turn too, so nothing of a session may live elsewhere.
Positions in the conversation are absolute: the first message ever said has index 0 for good, and ``base`` is the
index of the oldest message that is still kept.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from rojak.session.family import Caller, Decision
from rojak.session.reply import Reply
from rojak.session.stored import Stored
from rojak.session.task import Settings, Task
from rojak.session.turn import Turn
from rojak.types.agent import AnyAgent
from rojak.types.catalog import ToolCatalog
from rojak.types.messages import ConversationMessage, Usage
from rojak.types.session import SessionType

#: Version of the state's schema. A reader of a newer version knows how to read the older ones.
SCHEMA_VERSION = 1


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
        changes: ids of changes that were made to the settings, the oldest first, bounded.
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
    changes: list[str] = []
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
