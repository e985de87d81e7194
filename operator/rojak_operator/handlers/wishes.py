"""What is wanted of Temporal for versions of workers, and what was seen there last."""

from __future__ import annotations

from dataclasses import dataclass, field

from rojak.manifests.worker import TemporalConnection
from rojak_operator.desired.conditions import Finding
from rojak_operator.desired.versions import Routing
from rojak_operator.resources import Key


@dataclass(frozen=True)
class Wish:
    """What is wanted of Temporal for one owner.

    Attributes:
        connection: its Temporal.
        deployment: name of the Worker Deployment.
        target: build id of the version that is to be current; empty: workers without a version.
        is_ready: whether its pods are.
        queues: task queues that it has to serve.
        existing: build ids of the versions that have workers.
        is_farewell: the owner is gone, and this is the last that is wanted.
    """

    connection: TemporalConnection
    deployment: str
    target: str
    is_ready: bool = False
    queues: tuple[str, ...] = ()
    existing: frozenset[str] = frozenset()
    is_farewell: bool = False


@dataclass(frozen=True)
class Seen:
    """What came of the last look at Temporal.

    Attributes:
        target: which version was wanted then.
        routing: as it was; None if it could not be asked.
        problem: why it could not, or why the version could not be made current.
    """

    target: str
    routing: Routing | None = None
    problem: Finding | None = None


@dataclass
class Versions:
    """What is remembered of versions, by owner."""

    wishes: dict[Key, Wish] = field(default_factory=dict)
    seen: dict[Key, Seen] = field(default_factory=dict)
    #: Of sessions of a version: how often they were told to move, and when they may be told again.
    told: dict[tuple[Key, str], tuple[int, float]] = field(default_factory=dict)

    def forget(self, key: Key) -> None:
        """The owner is gone, or has no versions any more."""
        self.wishes.pop(key, None)
        self.seen.pop(key, None)
        for entry in [entry for entry in self.told if entry[0] == key]:
            del self.told[entry]
