"""What sessions count, on the meter of the worker's Temporal runtime: never twice, however often a workflow replays.

Labels are names that a developer gave. Nothing that was said, and no id, is among them.
"""

from __future__ import annotations

from temporalio import workflow

from rojak.types.activities import RetrieveResult
from rojak.types.retriever import Retriever


def count_retrieval(retriever: Retriever, result: RetrieveResult) -> None:
    """Count a look-up by how it ended: it found something, nothing, or failed."""
    outcome = "failed" if result.text is None else "found" if result.text else "empty"
    counter = workflow.metric_meter().create_counter(
        "rojak_retrievals_total", "Look-ups of retrievers, by how they ended: found, empty, failed.", "1"
    )
    counter.add(1, {"retriever": retriever.label, "outcome": outcome})
