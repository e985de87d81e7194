"""What the status of a Schedule says of Temporal's schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from rojak.manifests import Schedule

_NEXT: Final = 5
_RUNNING: Final = 20
#: How Temporal notes that it paused a schedule because of `pauseOnFailure`.
_FAILURE_NOTE: Final = "paused due to workflow failure"


class State(Protocol):
    """A schedule's state."""

    paused: bool
    notes: str


class Described(Protocol):
    """Temporal's description of a schedule."""

    @property
    def schedule(self) -> Any:
        """The schedule."""

    @property
    def info(self) -> Any:
        """What it did and will do."""


def schedule_status(schedule: Schedule, described: Described, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The part of the status that tells of runs.

    Args:
        runs: the newest ones, the latest first; each execution of a run that rolled over is one of them.
    """
    info, state = described.info, described.schedule.state
    upcoming = [time.ToJsonString() for time in info.future_action_times][:_NEXT] if not state.paused else []
    latest = _one_for_each(runs)
    finished = [run for run in latest if run["status"] not in ("Running", "ContinuedAsNew")]
    limits = schedule.spec.history_limits
    successful = [run for run in finished if run["status"] == "Completed"][: limits.successful]
    failed = [run for run in finished if run["status"] != "Completed"][: limits.failed]
    running = [run["workflowID"] for run in latest if run["status"] == "Running"]
    return {
        "paused": state.paused,
        "pausedBy": _paused_by(schedule, state) if state.paused else None,
        "nextRun": upcoming[0] if upcoming else None,
        "nextRuns": upcoming or None,
        "lastRun": dict(latest[0]) if latest else None,
        "recentRuns": [dict(run) for run in finished if run in successful or run in failed] or None,
        "running": running[:_RUNNING] or None,
        "counters": {
            "runs": int(info.action_count),
            "missed": int(info.missed_catchup_window),
            "skipped": int(info.overlap_skipped),
        },
    }


def _one_for_each(runs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The newest execution of each run."""
    latest: dict[str, Mapping[str, Any]] = {}
    for run in runs:
        latest.setdefault(run["workflowID"], run)
    return list(latest.values())


def _paused_by(schedule: Schedule, state: State) -> str:
    if schedule.spec.paused:
        return "Spec"
    return "Failure" if _FAILURE_NOTE in state.notes else "External"
