"""The floor as a side of a comparison."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from bench.floor.activities import FloorActivities
from bench.floor.workflows import FloorRun, FloorSession


class FloorAsker:
    """Asks the floor."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client, self._task_queue = client, task_queue

    async def run(self, id: str, prompt: str) -> str:  # noqa: A002 - as Rojak calls it
        return await self._client.execute_workflow(FloorRun.run, prompt, id=id, task_queue=self._task_queue)

    async def turn(self, session: str, text: str) -> str:
        start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
            FloorSession.run,
            id=session,
            task_queue=self._task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        return await self._client.execute_update_with_start_workflow(
            FloorSession.ask, text, start_workflow_operation=start
        )


def make_worker(client: Client, task_queue: str, base_url: str) -> AbstractAsyncContextManager[Any]:
    """A worker of the floor, to be entered."""
    activities = FloorActivities(base_url)
    restrictions = SandboxRestrictions.default.with_passthrough_modules("openai", "httpx", "httpx2", "anyio")
    return Worker(
        client,
        task_queue=task_queue,
        workflows=[FloorRun, FloorSession],
        activities=[activities.call_model, activities.call_tool],
        workflow_runner=SandboxedWorkflowRunner(restrictions=restrictions),
    )
