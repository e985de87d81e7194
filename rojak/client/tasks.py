"""Tasks from what callers pass: checked before anything is sent."""

from __future__ import annotations

import secrets
import sys
from typing import Any

from pydantic_core import PydanticSerializationError

from rojak.client.checks import check_id, check_instance
from rojak.session.intake import check_task_size
from rojak.session.task import Settings, Task
from rojak.tools.results import ResultError, plain_json
from rojak.types.errors import ConfigurationError
from rojak.types.session import TaskParams


def make_task(
    params: TaskParams | None,
    context_variables: dict[str, Any] | None,
    settings: Settings,
    *,
    task_id: str | None = None,
    stream: bool = False,
) -> Task:
    """The task to send.

    Raises:
        ConfigurationError: there is none, or something of it cannot be stored.
        PayloadTooLargeError: it is too large.
    """
    if params is None:
        raise ConfigurationError("run needs task=TaskParams(agent=..., messages=[...]) or resume=ResumeResponse(...)")
    check_instance("task", params, TaskParams)
    if task_id is not None:
        check_id("task_id", task_id)
    fields: dict[str, Any] = {"id": task_id or secrets.token_hex(8), "messages": params.messages}
    if params.agent is not None:
        fields["agent"] = params.agent
    if context := {**storable(params.context_variables), **storable(context_variables or {})}:
        fields["context_variables"] = context
    if settings.model_fields_set:
        fields["settings"] = settings
    if stream:
        fields["stream"] = True
    if (trace := _current_trace()) is not None:
        fields["trace"] = trace
    task = Task(**fields)
    try:
        check_task_size(task)
    except PydanticSerializationError as error:
        raise ConfigurationError(
            f"the task cannot be sent as JSON ({error}); pass plain data and whole characters"
        ) from None
    return task


def check_has_agent(task: Task) -> None:
    """Refuse a stateless run that nobody would do.

    Raises:
        ConfigurationError: the task names no agent.
    """
    if task.agent is None:
        raise ConfigurationError("a stateless run needs an agent: TaskParams(agent=...)")


def storable(context: Any) -> dict[str, Any]:
    """The context variables as JSON data: what a session can keep for weeks.

    Raises:
        ConfigurationError: names the variable that is no data.
    """
    if not isinstance(context, dict):
        raise ConfigurationError(f"context_variables is a {type(context).__name__}; give a dictionary")
    result = {}
    for key, value in context.items():
        if not isinstance(key, str):
            raise ConfigurationError(f"context variable {key!r} is named by a {type(key).__name__}; names are text")
        try:
            result[key] = plain_json(value, (key,))
        except (ResultError, RecursionError) as error:
            reason = "it contains itself" if isinstance(error, RecursionError) else str(error)
            raise ConfigurationError(
                f"context variable {key!r} cannot be stored as JSON ({reason}); pass plain data, and make"
                " connections and other live objects in the function that needs them"
            ) from None
    return result


def _current_trace() -> str | None:
    """The ``traceparent`` of the span that is current in the caller; None in programs that do not trace."""
    if "opentelemetry.trace" not in sys.modules:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")
