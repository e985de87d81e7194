"""Which version of the code a session is on, where Temporal versions the workers, and when it moves to the current one.

A turn ends with the code that it began with. Between two turns a session whose version is not the current one any more
goes on as a new run, which begins with the current one.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.workflow import ContinueAsNewVersioningBehavior

from rojak.workflows.contracts import SessionInput


class CodeVersion:
    """The version of one run of a session's workflow. Without versioned workers it says and does nothing."""

    def __init__(self, start: SessionInput) -> None:
        self._start = start
        self._asked = False

    def look_again(self) -> None:
        """Somebody knows of a new version."""
        self._asked = True

    def is_superseded(self, *, is_fresh: bool) -> bool:
        """Whether another version is the current one.

        Args:
            is_fresh: nothing was done in this run yet. If it moved here and is on the same version again, then it is
                held there (by an override of somebody, for one), and does not try again without end.
        """
        current = _build_id()
        if current is None or (is_fresh and not self._asked and current == self._start.left_version):
            return False
        # Temporal tells a run of a new version once; a run that went on in the middle of a turn left word of it.
        return self._start.superseded or workflow.info().is_target_worker_deployment_version_changed()

    def for_next_run(self, *, in_turn: bool) -> tuple[dict[str, Any], ContinueAsNewVersioningBehavior | None]:
        """What the next run is told, and how its version is chosen: None keeps it where it is."""
        current = _build_id()
        if current is None:
            return {}, None
        superseded = self.is_superseded(is_fresh=False)
        if in_turn:
            return ({"superseded": True} if superseded else {}), None
        return ({"left_version": current} if superseded else {}), ContinueAsNewVersioningBehavior.AUTO_UPGRADE


def _build_id() -> str | None:
    """Of the version; None where workers are not versioned."""
    version = workflow.info().get_current_deployment_version()
    # A worker without a deployment has a build id too, which only names it.
    return version.build_id if version is not None and version.deployment_name else None
