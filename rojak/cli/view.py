"""What a person sees of a conversation: events and messages in, pieces of text out. Writes nothing itself.

Text of models and tools is not ours: whatever in it would command a terminal is taken out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from rojak.client.events import (
    Done,
    Event,
    HandedOff,
    RetrievalFailed,
    Retrieved,
    TextDelta,
    ToolCalled,
    ToolResult,
)
from rojak.types.messages import ConversationMessage
from rojak.types.session import LimitReached, ResumeRequest

if TYPE_CHECKING:
    from rich.console import Console

Look = Literal["text", "speaker", "you", "note", "warning"]
_STYLES: Final[dict[Look, str]] = {
    "text": "",
    "speaker": "bold cyan",
    "you": "bold green",
    "note": "dim",
    "warning": "yellow",
}
#: Characters of a call's arguments and of a tool's answer that a line shows.
_SHOWN: Final = 200
_COMMANDS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Piece:
    """Text, and how it looks where there are colours."""

    text: str
    look: Look = "text"


def printable(text: str) -> str:
    """The text without what would command a terminal."""
    return _COMMANDS.sub("", text)


def on_one_line(text: str, limit: int = _SHOWN) -> str:
    """The text on one line, cut where it is too long."""
    line = " ".join(printable(text).split())
    return line if len(line) <= limit else f"{line[: limit - 3]}..."


class ConversationView:
    """Turns the events of a run into what is shown of it."""

    def __init__(self) -> None:
        self._in_line = False
        self._speaker: str | None = None
        self._shown = ""
        self._text = ""

    def show(self, event: Event) -> Iterator[Piece]:
        """What the event adds."""
        if isinstance(event, TextDelta):
            yield from self._take_text(event)
            return
        yield from self.end_text()
        match event:
            case ToolCalled():
                yield self._note(f"{event.agent_name or 'agent'} calls {call_line(event.tool_name, event.arguments)}")
            case ToolResult():
                yield self._note(answer_line(event.tool_name, event.content))
            case HandedOff():
                yield self._note(f"{event.from_agent} hands over to {event.to_agent}")
            case Retrieved():
                found = on_one_line(", ".join(event.sources)) or "nothing"
                yield self._note(f"{event.agent_name} looks in {event.retriever} and finds: {found}")
            case RetrievalFailed():
                said = f"{event.agent_name} cannot look in {event.retriever} ({event.error_type}): {event.reason}"
                yield Piece(f"  {on_one_line(said, 400)}\n", "warning")
            case Done() if event.result.limit is not None:
                yield Piece(f"  {limit_line(event.result.limit)}\n", "warning")

    def end_text(self) -> Iterator[Piece]:
        """Finish the line that is being written."""
        if self._shown != self._text:
            yield from self._begin_anew()
        if self._in_line:
            yield Piece("\n")
        self._in_line, self._speaker, self._shown, self._text = False, None, "", ""

    def _take_text(self, event: TextDelta) -> Iterator[Piece]:
        self._text = event.text if event.reset else self._text + event.text
        if self._speaker is None:
            self._speaker = event.agent_name or "agent"
            yield Piece(f"{printable(self._speaker)}> ", "speaker")
            self._in_line = True
        # An attempt that says again what is on the screen already is followed in silence, until it says more.
        if self._text.startswith(self._shown):
            fresh, self._shown = self._text[len(self._shown) :], self._text
            if fresh:
                yield Piece(printable(fresh))
        elif not self._shown.startswith(self._text):
            yield from self._begin_anew()

    def _begin_anew(self) -> Iterator[Piece]:
        yield Piece("\n")
        yield Piece("  (a worker was lost; the answer begins anew)\n", "note")
        yield Piece(printable(self._text))
        self._shown = self._text

    @staticmethod
    def _note(text: str) -> Piece:
        return Piece(f"  {text}\n", "note")


class WholeTextView(ConversationView):
    """For what is no terminal: texts as they are in the end, each as a whole."""

    def end_text(self) -> Iterator[Piece]:
        """The text that is complete now."""
        if self._text:
            yield Piece(f"{self._text}\n")
        self._text = ""

    def _take_text(self, event: TextDelta) -> Iterator[Piece]:
        self._text = event.text if event.reset else self._text + event.text
        yield from ()


def call_line(name: str, arguments: str) -> str:
    """A tool call on one line."""
    try:
        given = json.dumps(json.loads(arguments), ensure_ascii=False)
    except ValueError:
        given = arguments
    return f"{printable(name)} {on_one_line(given)}" if given.strip() not in ("", "{}") else printable(name)


def answer_line(name: str, content: str) -> str:
    """A tool's answer on one line."""
    return f"{printable(name) or 'the tool'} answers: {on_one_line(content) or '(nothing)'}"


def limit_line(limit: LimitReached) -> str:
    """Which limit ended a run."""
    return f"the run reached its limit {limit.kind} ({limit.used:g} of {limit.limit:g}) and ended without an answer"


def render_messages(messages: Sequence[ConversationMessage]) -> Iterator[Piece]:
    """A conversation that was."""
    names = {call.id: call.function.name for message in messages for call in message.tool_calls or []}
    for message in messages:
        text = printable(message.text)
        if message.role == "tool":
            name = names.get(message.tool_call_id or "", "the tool")
            yield Piece(f"  {answer_line(name, message.text)}\n", "note")
            continue
        if text or not message.tool_calls:
            if message.role == "assistant":
                yield Piece(f"{printable(message.sender or 'agent')}> ", "speaker")
            else:
                yield Piece(f"{'you' if message.role == 'user' else message.role}> ", "you")
            yield Piece(f"{text or _other_content(message)}\n")
        for call in message.tool_calls or []:
            line = call_line(call.function.name, call.function.arguments)
            yield Piece(f"  {printable(message.sender or 'agent')} calls {line}\n", "note")


def _other_content(message: ConversationMessage) -> str:
    parts = message.content if isinstance(message.content, list) else []
    return " ".join(f"[{part.get('type', 'part')}]" for part in parts)


def render_request(request: ResumeRequest, *, now: float) -> Iterator[Piece]:
    """What a human is asked about a tool call."""
    from rojak.cli.times import span

    yield Piece(f"{printable(request.agent_name or 'agent')} wants to call {printable(request.tool_name)}\n", "warning")
    yield Piece(f"{printable(request.question)}\n")
    for line in pretty_arguments(request.tool_arguments).splitlines():
        yield Piece(f"    {printable(line)}\n")
    if request.expires_at is not None:
        yield Piece(f"  {span(request.expires_at - now)} are left to decide\n", "note")


def pretty_arguments(arguments: str) -> str:
    """A call's arguments for reading and editing; as they are where they are no JSON."""
    try:
        return json.dumps(json.loads(arguments), indent=2, ensure_ascii=False)
    except ValueError:
        return arguments


def write(console: Console, pieces: Iterable[Piece]) -> None:
    """Write pieces, with colours where the console has them."""
    from rich.text import Text

    for piece in pieces:
        style = "" if console.no_color else _STYLES[piece.look]
        console.print(Text(piece.text, style), end="", soft_wrap=True)
