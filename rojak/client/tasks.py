"""Tasks from what callers pass: checked before anything is sent."""

from __future__ import annotations

import secrets
from typing import Any

from pydantic_core import PydanticSerializationError, to_jsonable_python

from rojak.session.intake import check_task_size
from rojak.session.state import Settings, Task
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
        ConfigurationError: there is none, or a context variable cannot be stored.
        PayloadTooLargeError: it is too large.
    """
    if params is None:
        raise ConfigurationError("run needs task=TaskParams(agent=..., messages=[...]) or resume=ResumeResponse(...)")
    fields: dict[str, Any] = {"id": task_id or secrets.token_hex(8), "messages": params.messages}
    if params.agent is not None:
        fields["agent"] = params.agent
    if context := storable({**params.context_variables, **(context_variables or {})}):
        fields["context_variables"] = context
    if settings.model_fields_set:
        fields["settings"] = settings
    if stream:
        fields["stream"] = True
    task = Task(**fields)
    check_task_size(task)
    return task


def storable(context: dict[str, Any]) -> dict[str, Any]:
    """The context variables as JSON data: what a session can keep for weeks.

    Raises:
        ConfigurationError: names the variable that is no data.
    """
    result = {}
    for key, value in context.items():
        if not isinstance(key, str):
            raise ConfigurationError(f"context variable {key!r} is named by a {type(key).__name__}; names are text")
        try:
            result[key] = to_jsonable_python(value)
        except PydanticSerializationError as error:
            raise ConfigurationError(
                f"context variable {key!r} cannot be stored as JSON ({error}); pass plain data, and make"
                " connections and other live objects in the function that needs them"
            ) from None
    return result
