"""What should run on a laptop, as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rojak.schedules import DesiredSchedule
from rojak.types.errors import RojakError
from rojak.workerconfig import WorkerConfig


class PlanError(RojakError):
    """The manifests cannot run here; the message is all that is in the way, a line each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True)
class PoolPlan:
    """A worker process.

    Attributes:
        name: ``<namespace>/<name>`` of the pool, or of the Agent that has its own.
        agents: names of the Agents that it serves.
        task_queues: where it takes work.
        config: its configuration.
        environ: variables that it has besides those of `rojak dev`; secrets are among them.
        files: Python files by name, which it gets in a folder of its own.
        digest: of all that, and of the code that it imports.
    """

    name: str
    agents: tuple[str, ...]
    task_queues: tuple[str, ...]
    config: WorkerConfig
    environ: Mapping[str, str] = field(repr=False)
    files: Mapping[str, str] = field(repr=False)
    digest: str = ""


@dataclass(frozen=True)
class ServerPlan:
    """An MCP server of the files.

    Attributes:
        name: ``<namespace>/<name>``.
        kind: ``remote``, ``stdio`` (its agents' workers start it) or ``http`` (`rojak dev` starts it).
        url: of its endpoint; None for stdio.
        command: that `rojak dev` starts.
        environ: variables of the program.
        digest: of all that, and of the files that the command names.
    """

    name: str
    kind: str
    url: str | None = None
    command: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    digest: str = ""


@dataclass(frozen=True)
class Plan:
    """What should run.

    Attributes:
        pools: worker processes, by their names.
        servers: MCP servers, by their names.
        schedules: by their ids in Temporal.
        orphans: ids of schedules that stay when nothing wants them any more (``deletionPolicy: Orphan``).
        scripted: names of the agents whose model is a script.
        front: the agent that a person would talk to first: nobody hands over to it, and no schedule runs it.
        notes: what a person should know of what the files say and a laptop does not do.
    """

    pools: Mapping[str, PoolPlan]
    servers: Mapping[str, ServerPlan]
    schedules: Mapping[str, DesiredSchedule]
    orphans: frozenset[str] = frozenset()
    scripted: tuple[str, ...] = ()
    front: str | None = None
    notes: tuple[str, ...] = ()
