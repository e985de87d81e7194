"""What is up, as plain data: written by those who run things, read by those who show them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """How something is."""

    STARTING = "starting"
    UP = "up"
    RELOADING = "reloading"
    DRAINING = "draining"
    RESTARTING = "restarting"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass
class PoolEntry:
    """A worker process.

    Attributes:
        agents: whom it serves.
        task_queues: where it takes work.
        pid: of the process; None while there is none.
        state: how it is.
        detail: why, if it is not as it should be.
        restarts: how often it died and was started again.
    """

    agents: tuple[str, ...] = ()
    task_queues: tuple[str, ...] = ()
    pid: int | None = None
    state: State = State.STARTING
    detail: str = ""
    restarts: int = 0


@dataclass
class ServerEntry:
    """An MCP server.

    Attributes:
        kind: ``remote``, ``stdio`` or ``http``.
        where: its endpoint, or who starts it.
        tools: how many it has; None while that is not known.
        pid: of its process, if `rojak dev` started it.
        state: how it is.
        detail: why, if it is not as it should be.
    """

    kind: str
    where: str
    tools: int | None = None
    pid: int | None = None
    state: State = State.STARTING
    detail: str = ""

    def see(self, found: Mapping[str, Any]) -> str | None:
        """Take over what a worker says of it.

        Returns:
            What is new, in words; None if nothing is.
        """
        before = self.tools, self.detail
        self.tools = self.tools if found["tools"] is None else found["tools"]
        self.detail = found["problem"] or ""
        self.state = State.FAILED if self.detail else State.UP
        if (self.tools, self.detail) == before:
            return None
        return self.detail or f"up, with {self.tools} tool{'' if self.tools == 1 else 's'}"


@dataclass
class ScheduleEntry:
    """A schedule.

    Attributes:
        agent: who runs.
        next_run: when; None if never, or not known yet.
        last_run: when it ran last.
        runs: how often it ran.
        paused: whether it pauses.
        detail: why it is not in force.
    """

    agent: str
    next_run: datetime | None = None
    last_run: datetime | None = None
    runs: int = 0
    paused: bool = False
    detail: str = ""


@dataclass
class Board:
    """What there is to see.

    Attributes:
        say: called with each line that is said, and how serious it is: ``info``, ``good``, ``warning`` or ``error``.
        temporal: where it is.
        ui: address of its web UI.
        script: the file that plays the models' part.
        pools: by their names.
        servers: by their names.
        schedules: by their ids.
        approvals: ids of the sessions that wait for one, and how many there are in all.
        problems: what is wrong with the files as they are now; what runs is what they were before.
        stopping: whether everything is being stopped.
    """

    say: Callable[[str, str], None]
    temporal: str = ""
    ui: str | None = None
    script: str | None = None
    pools: dict[str, PoolEntry] = field(default_factory=dict)
    servers: dict[str, ServerEntry] = field(default_factory=dict)
    schedules: dict[str, ScheduleEntry] = field(default_factory=dict)
    approvals: tuple[int, tuple[str, ...]] = (0, ())
    problems: tuple[str, ...] = ()
    stopping: bool = False

    def info(self, text: str) -> None:
        """Something happened."""
        self.say(text, "info")

    def good(self, text: str) -> None:
        """Something went well that was waited for."""
        self.say(text, "good")

    def warn(self, text: str) -> None:
        """Something a person should know."""
        self.say(text, "warning")

    def fail(self, text: str) -> None:
        """Something is wrong."""
        self.say(text, "error")
