"""What callers of `run` and `stream` ask for, checked before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Unpack

from rojak.client.checks import check_id, check_instance, check_timeout
from rojak.client.settings import GivenSettings, new_settings
from rojak.client.tasks import make_task
from rojak.session.task import Task
from rojak.types.errors import ConfigurationError
from rojak.types.session import ResumeResponse, SessionType, TaskParams


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A task for a session, or a decision on a call that waits there.

    Attributes:
        session_id: of the session.
        session_type: of a session that begins with the task.
        work: the task or the decision.
        timeout: seconds to wait; None for no limit.
    """

    session_id: str
    session_type: SessionType
    work: Task | ResumeResponse
    timeout: float | None


def read_request(
    verb: str,
    session_id: str,
    session_type: str | None,
    task: TaskParams | None,
    resume: ResumeResponse | None,
    context_variables: dict[str, Any] | None,
    *,
    task_id: str | None,
    timeout: float | None,
    stream: bool = False,
    **settings: Unpack[GivenSettings],
) -> RunRequest:
    """The call of ``verb`` (``run`` or ``stream``) with these arguments.

    Raises:
        ConfigurationError: the call itself is wrong.
        PayloadTooLargeError: the task is too large.
    """
    check_id("id", session_id)
    timeout = check_timeout(timeout)
    if resume is not None:
        check_instance("resume", resume, ResumeResponse)
        if task is not None:
            raise ConfigurationError(f"{verb} takes a task or a resume, not both; send the task after the resume")
        return RunRequest(session_id, "persistent", resume, timeout)
    new_task = make_task(task, context_variables, new_settings(**settings), task_id=task_id, stream=stream)
    return RunRequest(session_id, _checked_type(session_type), new_task, timeout)


def _checked_type(given: str | None) -> SessionType:
    match given:
        case None | "stateless":
            return "stateless"
        case "persistent":
            return "persistent"
        case _:
            raise ConfigurationError(f"unknown type {given!r}; use 'persistent' or 'stateless'")
