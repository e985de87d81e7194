"""What a session can be asked: queries leave no trace in its history, and are answered after its end too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from rojak.session.approvals import list_approvals
from rojak.session.awaited import Awaited, list_awaited
from rojak.session.intake import read_config
from rojak.session.mailbox import find_reply
from rojak.session.progress import Progress, read_progress
from rojak.session.receipts import ErrandKind, Receipt, find_receipt
from rojak.session.reply import Reply
from rojak.session.shelf import Shelf
from rojak.session.state import SessionState
from rojak.types.activities import CATALOG_QUERY, FRAME_QUERY, WINDOW_QUERY, Frame
from rojak.types.catalog import ToolCatalog
from rojak.types.errors import ResultNotFoundError, RojakError
from rojak.types.messages import ConversationMessage
from rojak.types.session import ResumeRequest, SessionConfig
from rojak.workflows import contracts


@contextmanager
def refusals() -> Iterator[None]:
    """Give what the core refuses to the caller as an error that names it; the workflow itself goes on.

    The name is in the text too: of what a query raises nothing else reaches the caller.
    """
    try:
        yield
    except RojakError as error:
        name = type(error).__name__
        raise ApplicationError(f"{name}: {error}", type=name, non_retryable=True) from error


def task_or_latest(state: SessionState, task_id: str | None) -> str:
    """The id that is asked for; without one, the task that came last.

    Raises:
        ResultNotFoundError: none came yet.
    """
    wanted = task_id or state.latest_task
    if wanted is None:
        raise ResultNotFoundError("the session was given no task yet")
    return wanted


class SessionQueries:
    """The queries of a workflow that keeps a session's state, and what it dropped lately."""

    _state: SessionState
    _shelf: Shelf

    @workflow.query(name=WINDOW_QUERY)
    def window(self, start: int, end: int) -> list[ConversationMessage]:
        """The messages with absolute indexes ``start`` to ``end`` (exclusive): what is kept, or was lately."""
        return self._shelf.read(self._state, start, end)

    @workflow.query(name=FRAME_QUERY)
    def frame(self) -> Frame | None:
        """The active agent, the context variables, and what was retrieved for this turn."""
        agent = self._state.agent
        if agent is None:
            return None
        retrieved = self._state.turn.retrieved if self._state.turn else None
        return Frame(agent=agent, context_variables=self._state.context_variables, retrieved=retrieved)

    @workflow.query(name=CATALOG_QUERY)
    def catalog(self) -> ToolCatalog | None:
        """The tools of MCP servers."""
        return self._state.catalog

    @workflow.query(name=contracts.QUERY_CONFIG)
    def get_config(self) -> SessionConfig:
        """The settings and what is kept."""
        return read_config(self._state)

    @workflow.query(name=contracts.QUERY_REPLY)
    def get_reply(self, task_id: str | None = None) -> Reply | None:
        """The reply to a task (the latest one if None); None as long as it has none."""
        with refusals():
            return find_reply(self._state, task_or_latest(self._state, task_id))

    @workflow.query(name=contracts.QUERY_PROGRESS)
    def get_progress(self, task_id: str, after: int) -> Progress:
        """How far a task is, with what was generated from the index ``after`` on."""
        with refusals():
            return read_progress(self._state, task_id, after)

    @workflow.query(name=contracts.QUERY_RECEIPT)
    def get_receipt(self, kind: ErrandKind, errand_id: str) -> Receipt:
        """What became of a task (the latest one if the id is empty), a resume or a change that somebody sent."""
        with refusals():
            if kind == "task":
                errand_id = task_or_latest(self._state, errand_id)
            return find_receipt(self._state, kind, errand_id)

    @workflow.query(name=contracts.QUERY_APPROVALS)
    def get_approvals(self) -> list[ResumeRequest]:
        """The tool calls that wait for a human."""
        return list_approvals(self._state)

    @workflow.query(name=contracts.QUERY_AWAITED)
    def get_awaited(self) -> list[Awaited]:
        """The agents that have something to do now, and where their workers should be."""
        return list_awaited(self._state)
