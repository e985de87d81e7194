"""What calls count, on the meter of the worker's Temporal runtime. For code that runs in an activity.

Labels are names that a developer gave, and classes of errors. Nothing that was said, and no id, is among them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from temporalio import activity

from rojak.types.messages import Usage

#: Names of the histograms; a worker process gives them buckets that fit.
MODEL_CALL_DURATION = "rojak_model_call_duration"
TOOL_CALL_DURATION = "rojak_tool_call_duration"


class ModelCallMeter:
    """Counts one attempt at a model call.

    Attributes:
        error: class of the error with which it failed; set by who handles it.
        usage: tokens that it cost; set when they are known.
    """

    def __init__(self, agent_name: str, model: str) -> None:
        self._labels = {"agent": agent_name, "model": model}
        self.error: str | None = None
        self.usage: Usage | None = None

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """The call is made inside."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._record(timedelta(seconds=time.perf_counter() - began))

    def _record(self, took: timedelta) -> None:
        meter = activity.metric_meter()
        outcome = {"outcome": "answered" if self.usage is not None else "failed", "error": self.error or ""}
        meter.create_counter("rojak_model_calls", "Attempts at model calls, by how they ended.").add(
            1, {**self._labels, **outcome}
        )
        meter.create_histogram_timedelta(MODEL_CALL_DURATION, "How long attempts at model calls took.").record(
            took, self._labels
        )
        tokens = meter.create_counter("rojak_tokens", "Tokens of model calls: input, output, and cached input.")
        for kind in ("input", "output", "cached"):
            count = getattr(self.usage, f"{kind}_tokens") if self.usage else 0
            if count:
                tokens.add(count, {**self._labels, "kind": kind})


@contextmanager
def measuring_tool_call(agent_name: str, tool_name: str) -> Iterator[None]:
    """Record how long one attempt at the tool call that is made inside took. Only for tools that there are."""
    began = time.perf_counter()
    try:
        yield
    finally:
        meter = activity.metric_meter()
        histogram = meter.create_histogram_timedelta(TOOL_CALL_DURATION, "How long attempts at tool calls took.")
        took = timedelta(seconds=time.perf_counter() - began)
        histogram.record(took, {"agent": agent_name, "tool": tool_name})
