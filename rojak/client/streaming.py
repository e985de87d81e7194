"""Follows a run: coarse events from the session's state, text from the heartbeats of the model call.

Neither costs the session a history event. Describing the workflow tells whether anything happened, and carries the
text; only when something did is the session asked what.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Any

from temporalio.service import RPCError

from rojak.agents.streaming import TextProgress
from rojak.client.events import Event, HandedOff, RetrievalFailed, Retrieved, Started, TextDelta, ToolCalled, ToolResult
from rojak.client.gateway import SessionGateway
from rojak.session.progress import Progress
from rojak.session.turn import HandOff
from rojak.types.activities import CALL_MODEL
from rojak.types.errors import ResultNotFoundError, SessionNotFoundError
from rojak.types.messages import ConversationMessage
from rojak.types.session import Retrieval
from rojak.workflows.contracts import QUERY_PROGRESS

#: Seconds between two looks; the text becomes visible as often.
POLL_INTERVAL = 0.1


class EventDeriver:
    """Turns what is seen of a run into events, each once, in order. Pure: it is fed."""

    def __init__(self, task_id: str) -> None:
        self._task_id = task_id
        self._started = False
        self._next: int | None = None
        self._handoffs = 0
        self._retrievals = 0
        self._names: dict[str, str] = {}
        self._shown = ""
        self._attempt = 1
        self._turn, self._step = 0, 0
        self._seq = 0

    @property
    def next_index(self) -> int:
        """Absolute index of the first message that was not seen yet."""
        return self._next or 0

    def skip(self, progress: Progress) -> None:
        """Take what happened before as seen: a resumed turn goes on where it waited."""
        self._started = True
        self._next = progress.first + len(progress.messages)
        self._handoffs = len(progress.handoffs)
        self._retrievals = len(progress.retrievals)
        self._turn, self._step = progress.turn, progress.step
        for message in progress.messages:
            self._learn_names(message)

    def start(self, agent_name: str | None, turn: int, first: int) -> Iterator[Event]:
        """The turn has begun; its first generated message has the absolute index ``first``."""
        if not self._started:
            self._started = True
            self._next, self._turn = first, turn
            yield Started(task_id=self._task_id, agent_name=agent_name)

    def take_messages(
        self,
        start: int,
        messages: list[ConversationMessage],
        handoffs: list[HandOff],
        retrievals: Sequence[Retrieval] = (),
    ) -> Iterator[Event]:
        """Messages from the absolute index ``start`` on, and all hand-offs and retrievals of the turn."""
        for index, message in enumerate(messages, start):
            if self._next is not None and index < self._next:
                continue
            yield from self._take_handoffs(handoffs, index)
            yield from self._take_retrievals(retrievals, index)
            self._next = index + 1
            if message.role == "assistant":
                yield from self._take_answer(message)
            elif message.role == "tool":
                tool_id = message.tool_call_id or ""
                name = self._names.get(tool_id, "")
                yield ToolResult(tool_id=tool_id, tool_name=name, content=message.text)
        yield from self._take_handoffs(handoffs, start + len(messages))
        yield from self._take_retrievals(retrievals, start + len(messages))

    def take_text(self, progress: TextProgress, agent_name: str | None) -> Iterator[Event]:
        """Text of a model call that is in progress."""
        if (progress.turn, progress.step) != (self._turn, self._step) or progress.attempt < self._attempt:
            return
        reset = progress.attempt > self._attempt and bool(self._shown)
        if progress.attempt > self._attempt:
            self._attempt, self._shown, self._seq = progress.attempt, "", 0
        seen = len(self._shown) - progress.offset
        if seen < 0:
            # More came than one report holds since the last look; the durable message brings it all.
            return
        if fresh := progress.text[seen:]:
            yield self._delta(fresh, agent_name, reset=reset)

    def _take_answer(self, message: ConversationMessage) -> Iterator[Event]:
        text = message.text
        if text != self._shown:
            if text.startswith(self._shown):
                yield self._delta(text[len(self._shown) :], message.sender, reset=False)
            else:
                self._shown = ""
                yield self._delta(text, message.sender, reset=True)
        self._learn_names(message)
        for call in message.tool_calls or []:
            yield ToolCalled(
                agent_name=message.sender,
                tool_id=call.id,
                tool_name=call.function.name,
                arguments=call.function.arguments,
            )
        self._step += 1
        self._shown, self._attempt, self._seq = "", 1, 0

    def _delta(self, text: str, agent_name: str | None, *, reset: bool) -> TextDelta:
        self._shown += text
        self._seq += 1
        return TextDelta(
            text=text,
            agent_name=agent_name,
            turn=self._turn,
            step=self._step,
            attempt=self._attempt,
            seq=self._seq,
            reset=reset,
        )

    def _take_handoffs(self, handoffs: list[HandOff], index: int) -> Iterator[Event]:
        while self._handoffs < len(handoffs) and handoffs[self._handoffs].index <= index:
            handoff = handoffs[self._handoffs]
            self._handoffs += 1
            yield HandedOff(from_agent=handoff.from_agent, to_agent=handoff.to_agent)

    def _take_retrievals(self, retrievals: Sequence[Retrieval], index: int) -> Iterator[Event]:
        """What was retrieved for the model call that generates the message at ``index``."""
        while self._retrievals < len(retrievals) and retrievals[self._retrievals].index <= index:
            found = retrievals[self._retrievals]
            self._retrievals += 1
            if found.error_type is None:
                yield Retrieved(agent_name=found.agent_name, retriever=found.retriever, sources=found.sources)
            else:
                yield RetrievalFailed(
                    agent_name=found.agent_name,
                    retriever=found.retriever,
                    error_type=found.error_type,
                    reason=found.reason or "",
                )

    def _learn_names(self, message: ConversationMessage) -> None:
        self._names.update({call.id: call.function.name for call in message.tool_calls or []})


async def follow(
    gateway: SessionGateway,
    session_id: str,
    task_id: str,
    deriver: EventDeriver,
    over: asyncio.Future[Any],
) -> AsyncGenerator[Event, None]:
    """Events of a task until ``over`` is done; what comes last is in the reply that it brings."""
    handle = gateway.handle(session_id)
    converter = gateway.client.data_converter
    seen: tuple[str, int] | None = None
    agent_name: str | None = None
    while not over.done():
        try:
            description = await handle.describe()
            state = (description.run_id, description.history_length)
            if state != seen:
                progress = await read_progress(gateway, session_id, task_id, deriver.next_index)
                if progress is not None and progress.phase != "over":
                    seen, agent_name = state, progress.agent_name
                    for event in take_progress(deriver, progress):
                        yield event
            for pending in description.raw_description.pending_activities:
                if pending.activity_type.name == CALL_MODEL and pending.heartbeat_details.payloads:
                    (text,) = await converter.decode(pending.heartbeat_details.payloads, [TextProgress])
                    for event in deriver.take_text(text, agent_name):
                        yield event
        except RPCError:
            # The run may not have begun, or the server be away; the call that is waited for knows and raises.
            pass
        await asyncio.wait({over}, timeout=POLL_INTERVAL)


async def read_progress(gateway: SessionGateway, session_id: str, task_id: str, after: int) -> Progress | None:
    """How far the task is; None where the session does not say."""
    try:
        progress: Progress = await gateway.query(session_id, QUERY_PROGRESS, [task_id, after], Progress)
    except (ResultNotFoundError, SessionNotFoundError):
        return None
    return progress


def take_progress(deriver: EventDeriver, progress: Progress) -> Iterator[Event]:
    """Events of a turn in progress."""
    if progress.phase == "queued":
        return
    yield from deriver.start(progress.agent_name, progress.turn, progress.first)
    yield from deriver.take_messages(progress.start, progress.messages, progress.handoffs, progress.retrievals)
