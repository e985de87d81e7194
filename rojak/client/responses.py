"""What `Rojak.run` returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from temporalio.client import WorkflowHandle

from rojak.types.session import OrchestratorResponse, ResumeRequest


@dataclass(frozen=True)
class RunResponse:
    """What came of a run.

    Attributes:
        id: of the session, which is the id of its workflow.
        result: the answer, or a tool call that waits for a human.
        task_id: names the task, for `Rojak.get_result`.
        workflow_handle: Temporal's handle to the session's workflow.
    """

    id: str
    result: OrchestratorResponse | ResumeRequest
    task_id: str
    workflow_handle: WorkflowHandle[Any, Any] = field(repr=False)
