"""What the examples share: a model to talk to, and a conversation on the screen."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

from rojak.client import (
    Done,
    Event,
    HandedOff,
    RetrievalFailed,
    Retrieved,
    TextDelta,
    ToolCalled,
    ToolResult,
    WaitingForApproval,
)
from rojak.testing import ModelServer

console = Console(highlight=False, soft_wrap=True)


@contextmanager
def a_model(write_script: Callable[[ModelServer], None]) -> Iterator[bool]:
    """The provider if OPENAI_API_KEY is set, else a scripted model on this machine.

    Yields:
        Whether the model is the scripted one. Until the end of the block the environment leads OpenAI's SDK to it.
    """
    if os.environ.get("OPENAI_API_KEY"):
        where = os.environ.get("OPENAI_BASE_URL", "OpenAI")
        console.print(f"[dim]Model: {where}, with the key in OPENAI_API_KEY.[/]")
        yield False
        return
    console.print("[yellow]No OPENAI_API_KEY is set: a scripted model on this machine plays the agents' part.[/]")
    before = os.environ.get("OPENAI_BASE_URL")
    with ModelServer() as server:
        write_script(server)
        os.environ.update(OPENAI_API_KEY="scripted", OPENAI_BASE_URL=server.base_url)
        try:
            yield True
        finally:
            del os.environ["OPENAI_API_KEY"]
            if before is None:
                del os.environ["OPENAI_BASE_URL"]
            else:
                os.environ["OPENAI_BASE_URL"] = before


class Screen:
    """Prints a conversation as it happens."""

    def __init__(self) -> None:
        self._line = ""
        self._speaker: str | None = None

    def say(self, who: str, text: str) -> None:
        """A line of somebody's."""
        self._end_line()
        console.print(f"[bold cyan]{who}:[/] {escape(text)}")

    def note(self, text: str) -> None:
        """Something that happened."""
        self._end_line()
        console.print(f"  {text}")

    def show(self, event: Event) -> None:
        """One event of a run."""
        match event:
            case TextDelta(text=text, agent_name=agent, reset=reset):
                if reset or not self._line:
                    self._end_line()
                    console.print(f"[bold green]{agent}:[/] ", end="")
                console.print(text, end="", markup=False)
                self._line += text or " "
            case ToolCalled(agent_name=agent, tool_name=name, arguments=arguments):
                self.note(f"[magenta]{agent} calls {name}[/] [dim]{escape(arguments)}[/]")
            case ToolResult(tool_name=name, content=content):
                self.note(f"[dim]{name} -> {escape(content)}[/]")
            case Retrieved(agent_name=agent, sources=sources):
                self.note(f"[magenta]{agent} looks up[/] [dim]{escape('; '.join(sources) or 'nothing is found')}[/]")
            case RetrievalFailed(agent_name=agent, reason=reason):
                self.note(f"[yellow]{agent} goes on without looking up:[/] {escape(reason)}")
            case HandedOff(from_agent=before, to_agent=after):
                self.note(f"[blue]{before} hands over to {after}[/]")
            case WaitingForApproval(requests=requests):
                for request in requests:
                    self.note(f"[yellow]waiting for approval:[/] {request.question} {request.tool_arguments}")
            case Done():
                self._end_line()

    def _end_line(self) -> None:
        if self._line:
            console.print()
            self._line = ""
