"""``make demo``: the pizza team takes an order, and loses its worker in the middle of it.

The worker is a process of its own. It is killed while an agent thinks; another one takes over, and the customer
notices nothing but a pause. The payment waits for an approval.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.client import Client

from examples.pizza.agents import triage_agent
from examples.pizza.script import CUSTOMER, write_script
from examples.pizza.worker import TASK_QUEUE
from examples.support import Screen, a_model, console
from rojak import ResumeResponse, Rojak, TaskParams
from rojak.client import Event, ToolResult, WaitingForApproval
from rojak.dev import TemporalServer

#: Seconds that an answer may take, the recovery from a killed worker included.
ANSWER_TIMEOUT = 120.0


class Crew:
    """The one worker process, and its successor."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._process: asyncio.subprocess.Process | None = None

    async def hire(self) -> int:
        """Start a worker; its pid."""
        command = (sys.executable, "-m", "examples.pizza.worker", self._address)
        self._process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        async with asyncio.timeout(60):
            if self._process.stdout is None or await self._process.stdout.readline() != b"polling\n":
                raise SystemExit("the worker did not start; its error is above")
        return self._process.pid

    async def kill(self) -> None:
        """SIGKILL, as the loss of a machine would be."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()

    async def dismiss(self) -> None:
        """Let it go."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()


@asynccontextmanager
async def a_crew(address: str) -> AsyncIterator[Crew]:
    """Workers that are gone at the end."""
    crew = Crew(address)
    try:
        yield crew
    finally:
        await crew.dismiss()


class Demo:
    """The conversation, with the accident in it."""

    def __init__(self, rojak: Rojak, crew: Crew, screen: Screen) -> None:
        self._rojak, self._crew, self._screen = rojak, crew, screen
        self._killed_at: float | None = None
        self._recovered = False
        self.session_id = f"pizza-{uuid.uuid4().hex[:8]}"

    async def run(self) -> None:
        """Talk, from the first line to the last."""
        agent = triage_agent
        for number, text in enumerate(CUSTOMER):
            self._screen.say("Customer", text)
            task = TaskParams(agent=agent if number == 0 else None, messages=[{"role": "user", "content": text}])
            events = self._rojak.stream(id=self.session_id, type="persistent", task=task, timeout=ANSWER_TIMEOUT)
            last = await self._follow(events)
            while isinstance(last, WaitingForApproval):
                request = last.requests[0]
                self._screen.note("[yellow]a human approves[/]")
                approve = ResumeResponse(action="approve", tool_id=request.tool_id)
                last = await self._follow(
                    self._rojak.stream(id=self.session_id, resume=approve, timeout=ANSWER_TIMEOUT)
                )

    async def _follow(self, events: AsyncIterator[Event]) -> Event | None:
        last: Event | None = None
        async for last in events:
            if self._killed_at is not None and not self._recovered:
                self._recovered = True
                pause = time.monotonic() - self._killed_at
                self._screen.note(f"[bold red]the conversation goes on, {pause:.1f} s after the kill[/]")
            self._screen.show(last)
            if self._killed_at is None and isinstance(last, ToolResult) and last.tool_name == "get_menu":
                await self._have_an_accident()
        return last

    async def _have_an_accident(self) -> None:
        self._killed_at = time.monotonic()
        await self._crew.kill()
        self._screen.note("[bold red]the worker was killed (SIGKILL) while the agent was thinking[/]")
        pid = await self._crew.hire()
        self._screen.note(f"[bold red]another worker was started (pid {pid}); it knows nothing but its code[/]")

    def check(self, scripted: bool) -> None:
        """Fail loudly if the demonstration did not show what it is for. A real model may take another way."""
        if scripted and not self._recovered:
            raise SystemExit("the demonstration went wrong: no worker was killed and replaced")


async def main() -> None:
    """Run the demonstration."""
    with (
        tempfile.TemporaryDirectory(prefix="rojak-demo-") as folder,
        a_model(write_script) as scripted,
        TemporalServer(db_filename=Path(folder) / "temporal.db") as server,
    ):
        async with a_crew(server.address) as crew:
            pid = await crew.hire()
            console.print(f"[dim]Temporal at {server.address}, one worker (pid {pid}).[/]\n")
            rojak = Rojak(await Client.connect(server.address), task_queue=TASK_QUEUE)
            demo = Demo(rojak, crew, Screen())
            await demo.run()
            demo.check(scripted)
            config = await rojak.get_config(demo.session_id)
            console.print(f"\n[bold]Context variables at the end:[/] {config.context_variables}")
            ui = server.ui_url or f"the UI of {server.address}"
            console.print(f"[bold]Every step, in Temporal's UI:[/] {ui}/namespaces/default/workflows/{demo.session_id}")
            if sys.stdin.isatty():
                await asyncio.to_thread(console.input, "[dim]The UI is up until you press Enter. [/]")


if __name__ == "__main__":
    asyncio.run(main())
