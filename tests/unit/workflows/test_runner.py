"""What becomes of the SDK's object for a run when the worker forgets the run."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from temporalio.bridge.proto.workflow_activation import RemoveFromCache, WorkflowActivation, WorkflowActivationJob
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.worker import WorkflowInstance

from rojak.workflows.runner import ForgetfulInstance

WORK = WorkflowActivation(run_id="run")
EVICTION = WorkflowActivation(jobs=[WorkflowActivationJob(remove_from_cache=RemoveFromCache())])


class Run(WorkflowInstance, asyncio.AbstractEventLoop):  # type: ignore[misc]  # as abstract as the SDK's
    """A run with something in memory, which refuses to be evicted so many times. An event loop, as the SDK's is."""

    def __init__(self, refusals: int = 0) -> None:
        self.held = ["a conversation"]
        self.refusals = refusals

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        if act.jobs and self.refusals:
            self.refusals -= 1
            raise RuntimeError("1 tasks remain")
        assert self.held
        return WorkflowActivationCompletion(run_id=act.run_id)

    def get_serialization_context(self, command_info: Any) -> Any:
        return self.held

    def get_external_store_context(self, command_info: Any) -> Any:
        return self.held

    def get_info(self) -> Any:
        return self.held

    def get_debug(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        raise AssertionError(self.held)


def test_a_run_goes_on_until_it_is_evicted() -> None:
    run = Run()
    instance = ForgetfulInstance(run)
    assert instance.activate(WORK).run_id == "run"
    assert instance.get_info() == instance.get_serialization_context(None) == ["a conversation"]
    assert instance.get_external_store_context(None) == ["a conversation"]
    assert instance.get_thread_id() is None
    assert run.held == ["a conversation"]


def test_an_evicted_run_holds_nothing() -> None:
    run = Run()
    instance = ForgetfulInstance(run)
    instance.activate(EVICTION)
    assert not hasattr(run, "held")


def test_an_eviction_is_repeated_without_harm() -> None:
    """The SDK tries again what took longer than it waits, though it was done in the end."""
    instance = ForgetfulInstance(Run())
    assert instance.activate(EVICTION) is instance.activate(EVICTION)


def test_a_run_that_cannot_be_evicted_yet_keeps_what_it_has() -> None:
    run = Run(refusals=1)
    instance = ForgetfulInstance(run)
    with pytest.raises(RuntimeError):
        instance.activate(EVICTION)
    assert run.held == ["a conversation"]
    instance.activate(EVICTION)
    assert not hasattr(run, "held")


def test_what_failed_in_a_run_that_is_over_goes_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A future that failed, and that nobody looked at, tells its event loop when it goes."""
    complaints: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    run = Run()
    failed: asyncio.Future[None] = asyncio.Future(loop=run)
    failed.set_exception(RuntimeError("nobody asks"))
    vars(run)["failed"] = failed
    del failed
    ForgetfulInstance(run).activate(EVICTION)
    assert complaints == []
    assert not hasattr(run, "failed")
