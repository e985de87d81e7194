"""What Temporal stored of a session: bytes and events, over all the runs that it rolled over into."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from temporalio.client import Client, WorkflowHistoryEventFilterType


@dataclass(frozen=True)
class Stored:
    """Size of a history as the server counts it for its own limits."""

    size: int
    events: int

    def __add__(self, other: Stored) -> Stored:
        return Stored(self.size + other.size, self.events + other.events)


async def stored_by_run(client: Client, workflow_id: str, run_id: str | None = None) -> Stored:
    """The history of one run of a workflow (the latest one if no run is named)."""
    info = (await client.get_workflow_handle(workflow_id, run_id=run_id).describe()).raw_info
    return Stored(info.history_size_bytes, info.history_length)


async def stored_in_all(client: Client, workflow_id: str) -> Stored:
    """The histories of all runs, the state that each got from the one before included."""
    total = Stored(0, 0)
    async for run_id in run_chain(client, workflow_id):
        total += await stored_by_run(client, workflow_id, run_id)
    return total


async def run_chain(client: Client, workflow_id: str) -> AsyncIterator[str]:
    """The ids of a workflow's runs, the first one first."""
    info = (await client.get_workflow_handle(workflow_id).describe()).raw_info
    run_id, latest = info.first_run_id, info.execution.run_id
    while run_id:
        yield run_id
        if run_id == latest:
            return
        run_id = await _next_run(client, workflow_id, run_id)


async def _next_run(client: Client, workflow_id: str, run_id: str) -> str:
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    events = handle.fetch_history_events(event_filter_type=WorkflowHistoryEventFilterType.CLOSE_EVENT)
    async for event in events:
        return event.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return ""
