"""The board for a person: a table that is always true, with what happens above it; without a terminal, lines alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rojak.laptop.board import Board, PoolEntry, ScheduleEntry, ServerEntry, State

_STYLES: Final = {"good": "green", "warning": "yellow", "error": "red"}
_STATES: Final = {
    State.UP: "green",
    State.FAILED: "bold red",
    State.RESTARTING: "yellow",
    State.STARTING: "yellow",
    State.RELOADING: "yellow",
}
#: Times a second that the table is drawn.
_RATE: Final = 4


@contextmanager
def lines_board() -> Iterator[Board]:
    """A board whose lines are printed as they come, each with its time: for logs and programs."""

    def say(text: str, level: str) -> None:
        mark = {"warning": "warning: ", "error": "error: "}.get(level, "")
        print(f"{datetime.now():%H:%M:%S} {mark}{text}", flush=True)

    yield Board(say)


@contextmanager
def live_board() -> Iterator[Board]:
    """A board on the terminal: a table of what is up, and lines above it."""
    console = Console(file=sys.stdout, highlight=False)

    def say(text: str, level: str) -> None:
        line = Text(f"{datetime.now():%H:%M:%S} ", style="dim")
        line.append(text, style=_STYLES.get(level, "default"))
        console.print(line, soft_wrap=True)

    board = Board(say)
    with Live(get_renderable=lambda: render(board), console=console, refresh_per_second=_RATE, transient=True):
        yield board


def render(board: Board) -> RenderableType:
    """The board as it is now."""
    if board.stopping or not board.temporal:
        return Text("stopping ..." if board.stopping else "starting ...", style="dim")
    parts: list[RenderableType] = [Text(), _head(board)]
    if board.problems:
        parts.append(Text("\n".join(board.problems), style="red"))
    parts.append(_pools(board.pools))
    if board.servers:
        parts.append(_servers(board.servers))
    if board.schedules:
        parts.append(_schedules(board.schedules))
    parts.append(_approvals(board))
    return Group(*parts)


def _head(board: Board) -> Text:
    head = Text("Temporal ", style="bold").append(board.temporal, style="cyan")
    if board.ui:
        head.append("  UI ").append(board.ui, style="cyan")
    if board.script:
        head.append("  model ").append(f"scripted, {board.script}", style="yellow")
    return head.append("  Ctrl-C stops", style="dim")


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", expand=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _pools(pools: dict[str, PoolEntry]) -> Table:
    table = _table("AGENT", "TASK QUEUE", "WORKER", "STATE")
    for name, pool in sorted(pools.items()):
        worker = f"{name}" + (f" ({pool.pid})" if pool.pid else "")
        state = _state(pool.state, pool.detail if pool.state is not State.UP else "")
        if pool.restarts:
            state.append(f", {pool.restarts} restart{'s' if pool.restarts > 1 else ''}", style="dim")
        for agent, queue in zip(pool.agents, pool.task_queues, strict=False):
            table.add_row(Text(agent), Text(queue), Text(worker), state)
    return table


def _servers(servers: dict[str, ServerEntry]) -> Table:
    table = _table("MCP SERVER", "TOOLS", "WHERE", "STATE")
    for name, server in sorted(servers.items()):
        where = server.where + (f" ({server.pid})" if server.pid else "")
        tools = "?" if server.tools is None else str(server.tools)
        table.add_row(Text(name), tools, Text(where), _state(server.state, server.detail))
    return table


def _schedules(schedules: dict[str, ScheduleEntry]) -> Table:
    table = _table("SCHEDULE", "AGENT", "NEXT RUN", "LAST RUN", "RUNS")
    for name, schedule in sorted(schedules.items()):
        coming = Text("paused" if schedule.paused else _when(schedule.next_run))
        if schedule.detail:
            coming = Text(schedule.detail, style="red")
        table.add_row(Text(name), Text(schedule.agent), coming, _when(schedule.last_run), str(schedule.runs))
    return table


def _approvals(board: Board) -> Text:
    count, ids = board.approvals
    if not count:
        return Text("No approvals are waited for.", style="dim")
    text = Text(f"{count} waiting for approval: ", style="bold yellow").append(", ".join(ids))
    return text.append(" ..." if count > len(ids) else "").append("  (rojak approvals list)", style="dim")


def _state(state: State, detail: str) -> Text:
    text = Text(state.value, style=_STATES.get(state, "dim"))
    return text.append(f": {detail}", style="default") if detail else text


def _when(time: datetime | None) -> str:
    if time is None:
        return "-"
    seconds = (time - datetime.now(UTC)).total_seconds()
    near = f"in {seconds:.0f} s" if 0 <= seconds < 100 else f"{-seconds:.0f} s ago" if -100 < seconds < 0 else ""
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S}{f' ({near})' if near else ''}"
