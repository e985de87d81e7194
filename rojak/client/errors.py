"""Temporal's errors as Rojak's: one place that knows which means what."""

from __future__ import annotations

from temporalio.client import (
    RPCTimeoutOrCancelledError,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import ApplicationError, CancelledError, FailureError, TerminatedError
from temporalio.service import RPCError, RPCStatusCode

from rojak.types import errors
from rojak.types.errors import (
    ConfigurationError,
    NoWorkerError,
    OutputValidationError,
    RojakError,
    RunCancelledError,
    RunFailedError,
    SessionNotFoundError,
)
from rojak.workflows.contracts import SESSION_DRAINING

_BY_NAME = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, RojakError) and not issubclass(value, RunFailedError)
}
#: How the SDK names an update whose workflow ended, or rolled over, after it took the update and before it answered.
_ENDED_MEANWHILE = "AcceptedUpdateCompletedWorkflow"
#: How the server names an update that it delivered and that the worker said nothing about: the worker was too slow, and
#: took up a newer workflow task meanwhile. Or it got an answer to a workflow task that cannot be.
_NOT_PROCESSED = "UnprocessedUpdate"
_TASK_FAILED = "unexpected workflow task failure"


def means_ask_again(error: BaseException) -> bool:
    """Whether the session is between two runs of its workflow, so that the same call made again finds it."""
    cause = error.cause if isinstance(error, WorkflowUpdateFailedError) else None
    return isinstance(cause, ApplicationError) and cause.type in (SESSION_DRAINING, _ENDED_MEANWHILE)


def means_draining(error: WorkflowUpdateFailedError) -> bool:
    """Whether the session refused the call because it rolls over, rather than lost it in doing so."""
    return isinstance(error.cause, ApplicationError) and error.cause.type == SESSION_DRAINING


def means_not_processed(error: WorkflowUpdateFailedError | RPCError) -> bool:
    """Whether an update reached a worker and had no effect, so that it can be sent again under another id."""
    if isinstance(error, WorkflowUpdateFailedError):
        return isinstance(error.cause, ApplicationError) and error.cause.type == _NOT_PROCESSED
    return error.status == RPCStatusCode.FAILED_PRECONDITION and _TASK_FAILED in error.message


def means_busy(error: BaseException) -> bool:
    """Whether the server asks for patience: too many updates at a time, or in this run of the workflow."""
    if not isinstance(error, RPCError):
        return False
    if error.status == RPCStatusCode.RESOURCE_EXHAUSTED:
        return True
    return error.status == RPCStatusCode.FAILED_PRECONDITION and "updates" in error.message


def means_unreachable(error: BaseException) -> bool:
    """Whether the server did not answer: it restarts, or the network is down."""
    if isinstance(error, RPCError):
        return error.status in (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)
    return isinstance(error, RPCTimeoutOrCancelledError)


def means_no_answer(error: RPCError) -> bool:
    """Whether the server had the question, and no worker took it."""
    if error.status == RPCStatusCode.FAILED_PRECONDITION:
        # Nobody polled for long, or the session's first workflow task was never done.
        return "poller" in error.message or "workflow task" in error.message.lower()
    return error.status in (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)


def means_not_found(error: BaseException) -> bool:
    """Whether the server knows no running workflow of that id."""
    return isinstance(error, RPCError) and error.status == RPCStatusCode.NOT_FOUND


def translate_refusal(error: WorkflowUpdateFailedError | WorkflowQueryFailedError) -> Exception:
    """What a session refused, as the error that its core raised; the error itself where it is none of those."""
    text = str(error.cause if isinstance(error, WorkflowUpdateFailedError) else error)
    # "NameOfTheError: text", from updates with the name once more in front.
    parts = text.split(": ")
    for index, part in enumerate(parts[:2]):
        if part in _BY_NAME:
            rest = parts[index + 1 :]
            return _BY_NAME[part](": ".join(rest[1:] if rest[:1] == [part] else rest))
    if "expected but not found" in text:
        return ConfigurationError(
            "the workflow of that id is not a session of this version of Rojak; use another id, or update the worker"
        )
    return error


def translate_end(error: WorkflowFailureError, session_id: str, task_id: str) -> RojakError:
    """How a run ended that has no result."""
    cause = error.cause
    match cause:
        case CancelledError():
            return RunCancelledError(f"session {session_id!r} was cancelled")
        case TerminatedError():
            return RunCancelledError(f"session {session_id!r} was terminated")
        case ApplicationError():
            return run_failure(cause.type or "ApplicationError", cause.message, task_id)
        case FailureError():
            return RunFailedError(type(cause).__name__, cause.message, task_id=task_id)
        case _:
            return RunFailedError(type(cause).__name__, str(cause), task_id=task_id)


def run_failure(error_type: str, reason: str, task_id: str) -> RunFailedError:
    """The error for a turn that failed."""
    cls = OutputValidationError if error_type == OutputValidationError.__name__ else RunFailedError
    return cls(error_type, reason, task_id=task_id)


def no_session(session_id: str) -> SessionNotFoundError:
    """The error for an id that no running session has."""
    return SessionNotFoundError(
        f"no session {session_id!r} is running: it has finished, or the id is wrong, or it lives in another namespace"
    )


def no_worker(task_queue: str, seconds: float, agent_name: str | None = None) -> NoWorkerError:
    """The error for a task queue that nobody polls, or whose worker does not answer.

    Args:
        task_queue: the queue.
        seconds: for so long.
        agent_name: the agent that is to work there, where it is another queue than the session's.
    """
    if agent_name is not None:
        return NoWorkerError(
            f"{describe_missing(task_queue, agent_name)} (for {seconds:g} s). The run waits for it, and goes on as soon"
            " as there is one: start a worker for the agent, and fetch the answer with get_result(id)"
        )
    return NoWorkerError(
        f"{describe_missing(task_queue)}, or none answers (for {seconds:g} s). What was asked stays queued:"
        " start a worker, for instance `async with rojak.create_worker([...])`, and fetch the answer with"
        " get_result(id)"
    )


def describe_missing(task_queue: str, agent_name: str | None = None) -> str:
    """That nobody polls a queue, and who is to work there."""
    where = "" if agent_name is None else f", where agent {agent_name!r} is to work"
    return f"no worker polls task queue {task_queue!r}{where}"
