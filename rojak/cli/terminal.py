"""The chat itself: asks the person and the session in turns."""

from __future__ import annotations

import asyncio
import shlex
import sys
import time
from collections.abc import Coroutine, Iterable
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError

from rojak.cli.arguments import check_text, new_session_id
from rojak.cli.conversation import Conversation, Left
from rojak.cli.errors import CommandError, ExitCode, describe, exit_code_of
from rojak.cli.live import NoSessionError, find_session
from rojak.cli.output import console, is_interactive
from rojak.cli.prompts import ask_decision, read_message
from rojak.cli.view import ConversationView, Piece, WholeTextView, render_messages, render_request, write
from rojak.client import Rojak
from rojak.types.errors import RojakError, RunCancelledError, ToolCallNotPendingError
from rojak.types.session import ResumeRequest

#: Messages of an earlier conversation that are shown when it is continued.
_RECALLED = 6


def hold_chat(runner: asyncio.Runner, rojak: Rojak, *, agent: str, session: str | None, flags: list[str]) -> ExitCode:
    """Hold a conversation, with a person or with a pipe.

    Args:
        runner: of the event loop that the client is connected on.
        rojak: on the agent's task queue.
        agent: who begins, in a new session.
        session: to be continued, or to be begun under this id; None for a new one.
        flags: that lead to the same place, for what the person is told to type.
    """
    view = ConversationView() if is_interactive() else WholeTextView()
    conversation = Conversation(rojak, agent, session or new_session_id(agent), view)
    chat = Chat(runner, conversation, flags)
    if session is not None:
        chat.open(rojak.client)
    return chat.at_terminal() if is_interactive() else chat.from_pipe(sys.stdin)


class Chat:
    """Asks the person and the session in turns. Waiting happens in the runner, so that Ctrl-C ends the wait alone.

    Args:
        runner: of the event loop.
        conversation: with the session.
        flags: that lead to the same place, for what the person is told to type.
    """

    def __init__(self, runner: asyncio.Runner, conversation: Conversation, flags: list[str]) -> None:
        self._runner = runner
        self._talk = conversation
        self._flags = flags
        self._screen = console()
        conversation.show = self._write

    def open(self, client: Client) -> None:
        """Take up the session that the person named; show what was said last."""
        try:
            entry = self._runner.run(find_session(client, self._talk.session_id))
        except NoSessionError:
            self._note(f"there is no session {self._talk.session_id} yet; your first message begins it")
            return
        if not entry.is_open:
            self._note(f"session {entry.id} has ended ({entry.status}); your first message begins it anew")
            return
        config = self._runner.run(self._talk.take_up(entry.task_queue))
        if config.type != "persistent":
            raise CommandError(
                f"session {entry.id!r} is a single run, which takes no messages; see rojak sessions show {entry.id}"
            )
        if is_interactive():
            earlier = len(config.messages) - _RECALLED
            if earlier > 0:
                self._note(f"({earlier} earlier messages: rojak sessions show {entry.id})")
            self._write(render_messages(config.messages[-_RECALLED:]))

    def at_terminal(self) -> ExitCode:
        """Until the person leaves."""
        self._note(f"session {self._talk.session_id}; Ctrl-D leaves, Ctrl-C stops waiting")
        try:
            self._settle(self._talk.catch_up())
            while True:
                if (text := read_message()) is None:
                    break
                if self._talk.is_behind:
                    # What was left unfinished comes first; an empty line asks for just that.
                    self._settle(self._talk.catch_up())
                if text.strip():
                    self._settle(self._talk.say(text))
        except Left:
            pass
        except RunCancelledError as error:
            self._write([Piece(f"{error}\n", "warning")])
            return ExitCode.FAILED
        self._say_goodbye()
        return ExitCode.DONE

    def from_pipe(self, lines: Iterable[str]) -> ExitCode:
        """Each line is a message; answers go to standard output. A call that waits for a human ends it."""
        work: Coroutine[Any, Any, list[ResumeRequest]] = self._talk.catch_up()
        try:
            if self._runner.run(work):
                return self._cannot_ask()
            for line in lines:
                if line.strip() and self._runner.run(self._talk.say(check_text(line.rstrip("\n")))):
                    return self._cannot_ask()
        except KeyboardInterrupt:
            self._note(f"interrupted; the run goes on: {self._command()}")
            return ExitCode.INTERRUPTED
        return ExitCode.DONE

    def _cannot_ask(self) -> ExitCode:
        session_id = self._talk.session_id
        self._note(f"a tool call waits for approval: rojak approvals list --session {session_id}")
        return ExitCode.WAITING_FOR_APPROVAL

    def _settle(self, work: Coroutine[Any, Any, list[ResumeRequest]]) -> None:
        """Wait for what comes of it, and ask the person what the agents want to know, until there is an answer."""
        requests = self._wait(work)
        while requests:
            request = requests[0]
            self._write(render_request(request, now=time.time()))
            decision = ask_decision(request, self._warn)
            if decision is None:
                self._note("the call goes on waiting for your decision")
                raise Left
            requests = self._wait(self._talk.decide(request, decision))

    def _wait(self, work: Coroutine[Any, Any, list[ResumeRequest]]) -> list[ResumeRequest]:
        """Wait for the session; what goes wrong is said, and the chat goes on."""
        try:
            return self._runner.run(work)
        except KeyboardInterrupt:
            self._write(self._talk.end_line())
            self._note("not waiting any longer; the run goes on. Enter waits for its answer")
        except RunCancelledError:
            raise
        except ToolCallNotPendingError:
            self._warn("that call waits no more: somebody else decided, or its time was over")
            return self._wait(self._talk.catch_up())
        except (RojakError, RPCError) as error:
            self._write(self._talk.end_line())
            self._warn(describe(error))
            if exit_code_of(error) in (ExitCode.NO_CONNECTION, ExitCode.NO_WORKER):
                self._note("nothing is lost; Enter waits for the answer")
        return []

    def _say_goodbye(self) -> None:
        self._note(f"Continue with: {self._command()}" if self._talk.has_begun else "nothing was said")

    def _command(self) -> str:
        return shlex.join(["rojak", "chat", self._talk.agent, "--session", self._talk.session_id, *self._flags])

    def _write(self, pieces: Iterable[Piece]) -> None:
        if is_interactive():
            write(self._screen, pieces)
            return
        for piece in pieces:
            # A pipe gets what was said, and nothing about it.
            stream = sys.stdout if piece.look == "text" else sys.stderr
            if piece.look != "speaker":
                print(piece.text, end="", file=stream, flush=True)

    def _note(self, text: str) -> None:
        self._write([Piece(f"{text}\n", "note")])

    def _warn(self, text: str) -> None:
        self._write([Piece(f"{text}\n", "warning")])
