"""Waiting for what a session answers: through roll-overs and crowds, and where Temporal lost an update.

Tasks, decisions and changes have ids of their own by which a session knows them. So whoever waits may send again.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from temporalio.client import WorkflowQueryFailedError, WorkflowUpdateFailedError
from temporalio.service import RPCError

from rojak.client.errors import (
    means_ask_again,
    means_busy,
    means_draining,
    means_not_found,
    means_not_processed,
    no_session,
    translate_refusal,
)
from rojak.client.patience import first_of
from rojak.client.reader import SessionReader
from rojak.client.reconnect import reconnecting
from rojak.session.receipts import ErrandKind, Receipt
from rojak.session.reply import Reply
from rojak.types.errors import ConfigurationError, NoWorkerError, RunCancelledError, SessionNotFoundError
from rojak.workflows import contracts

logger = logging.getLogger(__name__)

#: Seconds between two tries while a session rolls over; it doubles from the first to the last.
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 1.0
#: Seconds without an answer after which a caller looks whether its errand arrived, the last one for all that follow.
#: What got lost together with a worker is delivered again by Temporal itself, 10 s after that (its time limit of a
#: workflow task). And a session that works for long is not to be asked all the time.
LOOKS = (10.0, 20.0, 30.0)
#: Times that an update may be refused because a worker did not process it. It happens where a worker was too slow;
#: when it goes on happening the worker cannot process updates, and the caller should know.
_MOST_NOT_PROCESSED = 10

#: Sends something in an update of the id given, and waits for the answer.
Send = Callable[[str], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Errand:
    """Something that a session is told, and answers.

    Attributes:
        session_id: of the session.
        kind: what it is.
        id: its own, by which the session knows it. Empty for the latest task.
        first: sends it.
        again: sends it to a session that had it.
        update_id: of the first update. Made up where it is empty, and for each further one.
    """

    session_id: str
    kind: ErrandKind
    id: str
    first: Send
    again: Send
    update_id: str = ""

    @property
    def task_id(self) -> str:
        """The task that it is; empty where only the session knows it."""
        return self.id if self.kind == "task" else ""


class Answers:
    """Gets the answers of sessions.

    Args:
        reader: reads the sessions.
        looks: seconds before each look for an errand that is not answered, see `LOOKS`.
    """

    def __init__(self, reader: SessionReader, looks: Iterable[float] = LOOKS) -> None:
        self._reader = reader
        self._looks = tuple(looks)
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def wait_for(self, errand: Errand) -> Reply:
        """Run the errand until a run of the session's workflow answers it.

        Raises:
            SessionNotFoundError: there is no such session.
            RunCancelledError: it was cancelled.
            RojakError: what the session refuses.
        """
        send, pause, was_taken, not_processed = errand.first, FIRST_PAUSE, False, 0
        while True:
            try:
                reply = await self._send(errand, send)
                if reply.kind == "queued":
                    reply = await self._look_for_reply(errand.session_id, errand.task_id or reply.task_id)
                if reply.kind == "cancelled":
                    raise RunCancelledError(f"session {errand.session_id!r} was cancelled")
                if reply.kind != "continued":
                    return reply
                send, was_taken = errand.again, True
            except WorkflowUpdateFailedError as error:
                if means_not_processed(error) and not_processed < _MOST_NOT_PROCESSED:
                    not_processed += 1
                elif not means_ask_again(error):
                    raise translate_refusal(error) from error
                elif not means_draining(error):
                    send, was_taken = errand.again, True
            except RPCError as error:
                if means_not_found(error):
                    if was_taken:
                        return await self._reader.read_end(errand.session_id, errand.task_id)
                    raise no_session(errand.session_id) from None
                if means_not_processed(error) and not_processed < _MOST_NOT_PROCESSED:
                    not_processed += 1
                elif not means_busy(error):
                    raise
            # Callers that all wait for the same roll-over do not all come back at the same moment.
            await asyncio.sleep(pause * (0.5 + random.random()))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _send(self, errand: Errand, send: Send) -> Reply:
        """Send it and wait for the answer; send it again where the session does not know it after a while.

        Temporal knows an update by its id and delivers it once. One that got lost on the way is never answered, also
        where it is sent again under that id: so it is given another one.
        """
        update_id = errand.update_id or uuid.uuid4().hex
        looks = itertools.chain(self._looks, itertools.repeat(self._looks[-1]))
        while True:
            reply = await first_of(reconnecting(partial(send, update_id)), self._look_after(errand, looks))
            if reply is not None:
                return reply
            logger.warning(
                "session %r does not know the %s that it was sent: the update got lost in Temporal and is sent again",
                errand.session_id,
                errand.kind,
            )
            update_id = uuid.uuid4().hex

    async def _look_after(self, errand: Errand, looks: Iterator[float]) -> Reply | None:
        """Look now and then what became of the errand: its answer once the session has one, None if it is lost.

        The server is asked whether anything happened; only then the session, which has its worker's time.
        """
        seen = None
        for pause in looks:
            await asyncio.sleep(pause)
            try:
                description = await reconnecting(self._reader.handle(errand.session_id).describe)
                now = (description.run_id, description.history_length)
                if now == seen:
                    continue
                question = [errand.kind, errand.id]
                receipt: Receipt = await self._ask(errand.session_id, contracts.QUERY_RECEIPT, question, Receipt)
            except SessionNotFoundError:
                return None
            except RPCError as error:
                if means_not_found(error):
                    return None
                logger.debug("cannot look after the %s of session %r: %s", errand.kind, errand.session_id, error)
                continue
            except (NoWorkerError, ConfigurationError, WorkflowQueryFailedError) as error:
                # Nobody can say. What was sent may still be answered.
                logger.debug("session %r does not say what it knows: %s", errand.session_id, type(error).__name__)
                continue
            if not receipt.known:
                return None
            seen = now
            if errand.kind == "change":
                return Reply(kind="done", task_id="")
            if receipt.reply is not None:
                return receipt.reply
            if description.close_time is not None:
                return await self._reader.read_end(errand.session_id, receipt.task_id)
        raise AssertionError("there is always another look")

    async def _look_for_reply(self, session_id: str, task_id: str) -> Reply:
        """The reply to a task that the session has, looked for again and again: that holds none of its few updates.

        The server is asked whether anything happened; only then the session, which has its worker's time.
        """
        pause, seen = FIRST_PAUSE, ("", 0)
        while True:
            description = await reconnecting(self._reader.handle(session_id).describe)
            if description.close_time is not None:
                return await self._reader.read_end(session_id, task_id)
            now = (description.run_id, description.history_length)
            if now != seen:
                reply: Reply | None = await self._ask(session_id, contracts.QUERY_REPLY, [task_id], Reply)
                if reply is not None:
                    return reply
                seen = now
            await asyncio.sleep(pause * (0.5 + random.random()))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _ask(self, session_id: str, query: str, args: list[str], result_type: Any) -> Any:
        """Query the session, one caller of this client after the other.

        A worker that forgets a session while several queries and a workflow task wait for it drops all but one of
        them (with ``max_cached_workflows=0`` it forgets each session at once). Temporal notices after 10 s.
        """
        lock = self._asking.setdefault(session_id, asyncio.Lock())
        async with lock:
            return await self._reader.query(session_id, query, args, result_type)
