"""What a session wants done next, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from rojak.session.reply import Reply
from rojak.session.state import Summary
from rojak.session.turn import CallOutcome, PendingCall
from rojak.types.activities import OutputProblem, Refreshed, RetrieveResult
from rojak.types.messages import ConversationMessage


@dataclass(frozen=True)
class Idle:
    """Nothing to do until somebody sends something."""


@dataclass(frozen=True)
class BeginTurn:
    """Take the next task from the queue."""


@dataclass(frozen=True)
class Summarise:
    """Summarise the messages with absolute indexes ``start`` to ``end`` (exclusive), between turns."""

    start: int
    end: int


@dataclass(frozen=True)
class Retrieve:
    """Ask the agent's retriever for what belongs to ``query``."""

    query: str


@dataclass(frozen=True)
class CallModel:
    """Let the active agent's model go on with the conversation."""


@dataclass(frozen=True)
class CallTools:
    """Make these calls, all at the same time."""

    calls: list[PendingCall]


@dataclass(frozen=True)
class AwaitApprovals:
    """Wait for humans; until ``deadline`` (seconds since the epoch) if it is not None."""

    deadline: float | None


@dataclass(frozen=True)
class StartChildren:
    """Let other agents do these calls, all at the same time, in sessions of their own."""

    calls: list[PendingCall]


@dataclass(frozen=True)
class AwaitChildren:
    """Wait for sessions that work on calls; until ``deadline`` (seconds since the epoch) if it is not None."""

    deadline: float | None


@dataclass(frozen=True)
class CancelChildren:
    """End sessions whose work nobody waits for any more."""

    session_ids: list[str]


@dataclass(frozen=True)
class FinishTurn:
    """The turn has its answer."""


Step = (
    Idle
    | Summarise
    | BeginTurn
    | Retrieve
    | CallModel
    | CallTools
    | AwaitApprovals
    | StartChildren
    | AwaitChildren
    | CancelChildren
    | FinishTurn
)


@dataclass(frozen=True)
class ChildrenAssigned:
    """Outcome of the first half of StartChildren: what is to be started, recorded before it is.

    Attributes:
        session_id: of this session; the children's are made from it.
        now: in seconds since the epoch: their time-outs count from it.
    """

    session_id: str
    now: float


@dataclass(frozen=True)
class ChildAnswered:
    """A child ended. It comes when it comes, in the middle of another step too."""

    session_id: str
    reply: Reply


@dataclass(frozen=True)
class ChildrenExpired:
    """Outcome of AwaitChildren when its deadline passed."""

    now: float


@dataclass(frozen=True)
class ChildrenCancelled:
    """Outcome of CancelChildren."""

    session_ids: list[str]


@dataclass(frozen=True)
class TurnBegun:
    """Outcome of BeginTurn. ``now`` is in seconds since the epoch: the turn's time-out counts from it."""

    now: float = 0.0


@dataclass(frozen=True)
class Summarised:
    """Outcome of Summarise."""

    summary: Summary


@dataclass(frozen=True)
class SummaryFailed:
    """Outcome of Summarise: there is none, and the messages stay."""

    error_type: str


@dataclass(frozen=True)
class Retrieved:
    """Outcome of Retrieve; the result's text is None when the retriever failed, and the turn goes on without."""

    result: RetrieveResult


@dataclass(frozen=True)
class ModelReplied:
    """Outcome of CallModel. ``now`` is in seconds since the epoch: interrupts count their time-out from it."""

    message: ConversationMessage
    now: float
    refreshed: Refreshed | None = None
    problem: OutputProblem | None = None


@dataclass(frozen=True)
class ToolsAnswered:
    """Outcome of CallTools: by id of the call."""

    outcomes: dict[str, CallOutcome]


@dataclass(frozen=True)
class ApprovalsExpired:
    """Outcome of AwaitApprovals when its deadline passed."""

    now: float


@dataclass(frozen=True)
class DeadlinePassed:
    """Outcome of any step of a turn whose time is over: it was broken off.

    Attributes:
        now: in seconds since the epoch.
        outcomes: of tool calls that had come to an end by then, by id of the call.
    """

    now: float
    outcomes: dict[str, CallOutcome] = field(default_factory=dict)


@dataclass(frozen=True)
class TurnFailed:
    """Outcome of any step of a turn: it cannot go on."""

    error_type: str
    reason: str


@dataclass(frozen=True)
class TurnFinished:
    """Outcome of FinishTurn."""


Outcome = (
    TurnBegun
    | Summarised
    | SummaryFailed
    | Retrieved
    | ModelReplied
    | ToolsAnswered
    | ApprovalsExpired
    | ChildrenAssigned
    | ChildAnswered
    | ChildrenExpired
    | ChildrenCancelled
    | DeadlinePassed
    | TurnFailed
    | TurnFinished
)
