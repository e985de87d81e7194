"""What a caller asks of a session: a task, and the limits that it sets."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from rojak.types.agent import AnyAgent
from rojak.types.compaction import Compaction
from rojak.types.messages import ConversationMessage


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
