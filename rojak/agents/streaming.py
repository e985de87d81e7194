"""Where a model's text goes while it is generated, for those who watch.

Tokens never enter a history. The default sink needs no infrastructure: the text so far is the detail of the
activity's heartbeat, which a reader gets by describing the workflow. A sink of one's own (a message queue, say) is
given to the worker.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pydantic import BaseModel

from rojak.tools.heartbeat import Heartbeat

#: Characters of text in one heartbeat; a reader who was away for longer gets the rest with the durable message.
MAX_CHUNK_CHARACTERS = 32 * 1024


class TextProgress(BaseModel):
    """Text that a model has generated so far in one attempt at one step.

    Attributes:
        session_id: the session.
        turn: number of its turn.
        step: model calls of the turn before this one.
        attempt: from 1; a new attempt starts the text over.
        seq: counts the reports of the attempt.
        offset: characters generated before ``text``.
        text: what follows them.
    """

    session_id: str
    turn: int
    step: int
    attempt: int
    seq: int = 0
    offset: int = 0
    text: str = ""


class TextSink(Protocol):
    """Takes text as it is generated."""

    def open(self, position: TextProgress, heartbeat: Heartbeat) -> Callable[[str], None]:
        """Begin an attempt.

        Returns:
            What is called with each piece of text, on the event loop of the activity; it must not block.
        """
        ...


class HeartbeatSink:
    """The default: the text so far as details of the activity's heartbeat."""

    def open(self, position: TextProgress, heartbeat: Heartbeat) -> Callable[[str], None]:
        """Begin an attempt."""
        progress = position.model_copy()

        def take(text: str) -> None:
            progress.text += text
            progress.seq += 1
            if (excess := len(progress.text) - MAX_CHUNK_CHARACTERS) > 0:
                progress.text = progress.text[excess:]
                progress.offset += excess
            heartbeat.report(progress.model_dump())

        return take
