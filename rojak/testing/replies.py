"""What a scripted model answers, and how it may fail."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from rojak.types.messages import Usage


@dataclass(frozen=True)
class ScriptedCall:
    """A tool call that the model asks for. ``arguments`` is JSON text, malformed on purpose if you like."""

    name: str
    arguments: str
    id: str = field(default_factory=lambda: f"call_{uuid.uuid4().hex[:12]}")


def call(
    function_name: str, /, *, raw: str | None = None, call_id: str | None = None, **arguments: Any
) -> ScriptedCall:
    """A tool call with these arguments, or with ``raw`` as they are written."""
    text = json.dumps(arguments) if raw is None else raw
    return ScriptedCall(function_name, text, call_id) if call_id else ScriptedCall(function_name, text)


@dataclass(frozen=True)
class Reply:
    """An answer.

    Attributes:
        text: what the model says.
        tool_calls: what it asks for; see `call`.
        usage: tokens; counted in words when None.
        finish_reason: in OpenAI's terms; what fits when None. ``"length"`` is an answer that was cut.
    """

    text: str = ""
    tool_calls: list[ScriptedCall] = field(default_factory=list)
    usage: Usage | None = None
    finish_reason: str | None = None

    def __post_init__(self) -> None:
        for asked in self.tool_calls:
            if not isinstance(asked, ScriptedCall):
                raise TypeError(f"a {type(asked).__name__} is no tool call; give call('name_of_the_function', ...)")


@dataclass(frozen=True)
class Fault:
    """A failure instead of an answer.

    Attributes:
        status: HTTP status of an error answer; None for a connection that breaks or a body that makes no sense.
        message: text of the error.
        headers: sent with it, for instance ``retry-after``.
        body: sent with status 200 instead of an answer.
        drop: the connection is closed without any answer.
    """

    status: int | None = None
    message: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    drop: bool = False


@dataclass(frozen=True)
class Pace:
    """How slowly an answer comes.

    Attributes:
        delay: seconds before it begins.
        chunk_delay: seconds between the pieces of a streamed one.
        break_after: pieces of a streamed answer after which the connection breaks; None for never.
    """

    delay: float = 0.0
    chunk_delay: float = 0.0
    break_after: int | None = None
