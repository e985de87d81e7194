"""One task from a command: sent, followed, and its outcome printed."""

from __future__ import annotations

import sys
import time
from typing import Any

import typer
from temporalio.client import Client

from rojak.cli.errors import CommandError, ExitCode
from rojak.cli.live import plain
from rojak.cli.output import Format, console, print_data
from rojak.cli.talk import follow, user_task
from rojak.cli.view import ConversationView, call_line, limit_line, printable, write
from rojak.client import Done, Event, Rojak, TextDelta
from rojak.types.errors import RunTimeoutError
from rojak.types.session import OrchestratorResponse, ResumeRequest, ResumeResponse


class SingleRun:
    """A run that a command waits for.

    Args:
        client: connected.
        task_queue: where the agent is served.
        session_id: of the session, or of the run itself.
        is_persistent: whether the session stays.
        approve_all: whether calls that wait for a human are approved.
        worker_patience: seconds to wait where nobody serves the agent.
    """

    def __init__(
        self,
        client: Client,
        task_queue: str,
        session_id: str,
        *,
        is_persistent: bool,
        approve_all: bool,
        worker_patience: float,
    ) -> None:
        self._rojak = Rojak(client, task_queue, no_worker_timeout=worker_patience)
        self._id = session_id
        self._type = "persistent" if is_persistent else "stateless"
        self._approve_all = approve_all

    async def do(
        self, agent: str, text: str, context: dict[str, Any], *, timeout: float | None, output: Format
    ) -> ExitCode:
        """Send the task and print what comes of it.

        Raises:
            CommandError: there was no answer in time.
        """
        task = user_task(text, agent, context_variables=context)
        try:
            result = await self._decided({"type": self._type, "task": task}, timeout)
        except RunTimeoutError as error:
            said = str(error).partition(";")[0]
            raise CommandError(f"{said}; the run goes on: rojak sessions show {self._id}", ExitCode.TIMED_OUT) from None
        if isinstance(result, OrchestratorResponse):
            self._print_answer(result, output)
            return ExitCode.DONE if result.limit is None else ExitCode.LIMIT_REACHED
        self._print_requests(await self._rojak.get_pending_approvals(self._id) or [result], output)
        return ExitCode.WAITING_FOR_APPROVAL

    async def _decided(self, arguments: dict[str, Any], timeout: float | None) -> OrchestratorResponse | ResumeRequest:
        """The answer, or the first call that waits for a human who is to be asked."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if deadline is None else max(deadline - time.monotonic(), 0.001)
            result = await self._outcome({"id": self._id, **arguments, "timeout": left})
            if isinstance(result, OrchestratorResponse) or not self._approve_all:
                return result
            arguments = {"resume": ResumeResponse(action="approve", tool_id=result.tool_id)}

    async def _outcome(self, arguments: dict[str, Any]) -> OrchestratorResponse | ResumeRequest:
        """What comes of it; a person at a terminal sees on standard error what happens meanwhile."""
        if not sys.stderr.isatty():
            return (await self._rojak.run(**arguments)).result
        view, screen = ConversationView(), console(stderr=True)

        def show(event: Event) -> None:
            # The text is the answer, and that goes to standard output when it is complete.
            if not isinstance(event, TextDelta | Done):
                write(screen, view.show(event))

        last = await follow(self._rojak.stream(**arguments), show)
        return last.result if isinstance(last, Done) else last.requests[0]

    def _print_answer(self, result: OrchestratorResponse, output: Format) -> None:
        answer = _answer(result)
        if output is not Format.TABLE:
            status = "done" if result.limit is None else "limit_reached"
            agent = result.agent.name if result.agent else None
            rest = {**plain(result), "agent": agent}
            print_data({"session": self._id, "status": status, "answer": answer, **rest}, output)
            return
        if answer is not None:
            typer.echo(printable(answer) if sys.stdout.isatty() else answer)
        if result.limit is not None:
            print(limit_line(result.limit), file=sys.stderr)

    def _print_requests(self, requests: list[ResumeRequest], output: Format) -> None:
        if output is not Format.TABLE:
            waiting = [plain(request) for request in requests]
            print_data({"session": self._id, "status": "waiting_for_approval", "approvals": waiting}, output)
            return
        for request in requests:
            print(f"waits for approval: {call_line(request.tool_name, request.tool_arguments)}", file=sys.stderr)
        print(
            f"decide with rojak approvals approve {self._id}, or reject; see rojak sessions show {self._id}",
            file=sys.stderr,
        )


def _answer(result: OrchestratorResponse) -> str | None:
    """The text that answers; a run that a limit ended has none."""
    last = result.messages[-1] if result.messages else None
    return last.text if last is not None and last.role == "assistant" and not last.tool_calls else None
