"""What runs sessions in Rojak's own workers: no sandbox, and nothing of a run that the worker forgot stays in memory.

The SDK's object for a run of a workflow is part of a cycle: it is the event loop of the run's tasks, which know their
loop. What the run held (a conversation, the replies of its last turns: half a MiB, for a session that rolls over) is
therefore there until Python next looks at all of its objects, which it does when they have become a quarter more. That
is about 20 such runs. Here a run lets go of all that it has when the worker evicts it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails

if TYPE_CHECKING:
    from temporalio import workflow
    from temporalio.bridge.proto.workflow_activation import WorkflowActivation
    from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion


class SessionRunner(UnsandboxedWorkflowRunner):
    """Runs workflows as they are, and empties what runs them when the worker forgets them."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """What runs one run of a workflow."""
        return ForgetfulInstance(super().create_instance(det))


class ForgetfulInstance(WorkflowInstance):
    """The SDK's object for a run of a workflow, emptied once the run is evicted."""

    def __init__(self, inner: WorkflowInstance) -> None:
        self._inner = inner
        self._evicted: WorkflowActivationCompletion | None = None

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        """Do what Temporal wants of the run, which may be to end."""
        if self._evicted is not None:
            # An eviction that took longer than the SDK waits is tried again, though it succeeded in the end.
            return self._evicted
        completion = self._inner.activate(act)
        # It raises while tasks are left, and is tried again. So there are none now, and nothing follows on an eviction.
        if any(job.HasField("remove_from_cache") for job in act.jobs):
            self._evicted = completion
            _empty(self._inner)
        return completion

    def get_serialization_context(self, command_info: Any) -> Any:
        """As the SDK has it."""
        return self._inner.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> Any:
        """As the SDK has it."""
        return self._inner.get_external_store_context(command_info)

    def get_info(self) -> workflow.Info:
        """As the SDK has it."""
        return self._inner.get_info()

    def get_thread_id(self) -> int | None:
        """As the SDK has it."""
        return self._inner.get_thread_id()


def _empty(run: WorkflowInstance) -> None:
    """Take from a run all that it has."""
    held = vars(run).copy()
    vars(run).clear()
    # It is the event loop of futures that go with what it held. Those that failed, and that nobody looked at, tell it.
    vars(run)["call_exception_handler"] = _ignore
    held.clear()


def _ignore(context: Any) -> None:
    """What is wrong with a run that is over concerns nobody; the SDK has it so, too."""
