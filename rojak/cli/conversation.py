"""A chat's side of a session: what was asked of it, what came, and what is still to come."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Callable, Iterable

from rojak.cli.live import find_session
from rojak.cli.talk import follow, user_task
from rojak.cli.view import ConversationView, Piece, limit_line, render_messages
from rojak.client import Done, Event, Rojak, WaitingForApproval
from rojak.types.errors import ResultNotFoundError, RunCancelledError, RunFailedError
from rojak.types.messages import ConversationMessage
from rojak.types.session import OrchestratorResponse, ResumeRequest, ResumeResponse, SessionConfig


class Left(Exception):
    """The person left the chat."""


class Conversation:
    """A persistent session, spoken to by one person.

    Args:
        rojak: on the agent's task queue.
        agent: who begins, in a session that does not exist yet.
        session_id: of the session.
        view: makes what is shown of events.
    """

    def __init__(self, rojak: Rojak, agent: str, session_id: str, view: ConversationView) -> None:
        self.agent = agent
        self.session_id = session_id
        self._has_agent = self._has_spoken = False
        #: Takes what is to be shown.
        self.show: Callable[[Iterable[Piece]], None] = lambda pieces: None
        self._rojak = rojak
        self._view = view
        self._unfinished: str | None = None
        self._look_for_more = False
        self._seen: set[str | None] = set()

    @property
    def is_behind(self) -> bool:
        """Whether something was asked whose answer was not seen."""
        return self._unfinished is not None or self._look_for_more

    @property
    def has_begun(self) -> bool:
        """Whether there is anything to continue."""
        return self._has_agent or self._has_spoken

    async def take_up(self, task_queue: str) -> SessionConfig:
        """Go on in a session that exists; what it is doing is for `catch_up`."""
        if task_queue != self._rojak.task_queue:
            self._rojak = Rojak(self._rojak.client, task_queue)
        config = await self._rojak.get_config(self.session_id)
        self._has_agent = config.agent is not None
        self._has_spoken = self._look_for_more = True
        self._seen = {message.id for message in config.messages}
        return config

    async def say(self, text: str) -> list[ResumeRequest]:
        """Say something and show what comes of it.

        Returns:
            What the agents want to be decided; empty when there is an answer.
        """
        if self._has_agent and not (await find_session(self._rojak.client, self.session_id)).is_open:
            self.show([Piece("the session was ended meanwhile; a new one begins under its id\n", "warning")])
            self._has_agent = False
        # In a session that exists the agent goes on that is active, whoever began.
        task = user_task(text, None if self._has_agent else self.agent)
        task_id = secrets.token_hex(8)
        self._unfinished = task_id
        self._has_spoken = True
        return await self._follow(self._rojak.stream(id=self.session_id, type="persistent", task=task, task_id=task_id))

    async def decide(self, request: ResumeRequest, decision: ResumeResponse) -> list[ResumeRequest]:
        """Send a decision and show what comes of it.

        Raises:
            ToolCallNotPendingError: the call does not wait any more.
        """
        self._unfinished = request.task_id
        return await self._follow(self._rojak.stream(id=self.session_id, resume=decision))

    async def catch_up(self) -> list[ResumeRequest]:
        """Wait for what is still to come, of this chat's last task or of the session's."""
        if not self.is_behind:
            return []
        task_id, known = self._unfinished, self._unfinished is not None
        pending = await self._rojak.get_pending_approvals(self.session_id)
        if pending:
            self._look_for_more, self._unfinished = False, pending[0].task_id
            return pending
        try:
            result = await self._rojak.get_result(self.session_id, task_id)
        except ResultNotFoundError:
            # It was never asked anything, or that is long ago.
            result = None
        except RunFailedError:
            self._look_for_more, self._unfinished = False, None
            if known:
                raise
            return []
        self._look_for_more, self._unfinished = False, None
        self._has_agent = self._has_agent or result is not None
        if isinstance(result, ResumeRequest):
            self._unfinished = result.task_id
            return await self._rojak.get_pending_approvals(self.session_id) or [result]
        if result is not None:
            # Of a turn that somebody else began, what was not there when this chat took the session up.
            fresh = [message for message in result.messages if message.id and message.id not in self._seen]
            self._show_result(result, result.messages[-1:] if known else fresh)
        return []

    def end_line(self) -> list[Piece]:
        """Finish what is being written."""
        return list(self._view.end_text())

    async def _follow(self, events: AsyncGenerator[Event, None]) -> list[ResumeRequest]:
        try:
            last = await follow(events, self._show_event)
        except (RunFailedError, RunCancelledError):
            self._unfinished = None
            raise
        self._has_agent = True
        if isinstance(last, WaitingForApproval):
            return last.requests
        self._unfinished = None
        return []

    def _show_event(self, event: Event) -> None:
        self.show(self._view.show(event))
        if isinstance(event, Done | WaitingForApproval):
            self.show(self._view.end_text())

    def _show_result(self, result: OrchestratorResponse, messages: list[ConversationMessage]) -> None:
        self.show(render_messages(messages))
        if messages and result.limit is not None:
            self.show([Piece(f"  {limit_line(result.limit)}\n", "warning")])
