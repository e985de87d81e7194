"""Answers as objects of the type that the caller knows."""

from __future__ import annotations

from typing import Any

from pydantic import PydanticUserError, ValidationError

from rojak.session.reply import Reply
from rojak.types.errors import ConfigurationError, OutputValidationError
from rojak.types.outputs import known_type, parse_output


def read_output(reply: Reply, output_type: Any = None) -> Any:
    """The answer as data; None where it is none that has a form.

    Args:
        reply: the session's.
        output_type: what the caller wants; else what the agent was made with, else what this process knows to have
            the agent's schema, else plain JSON data.

    Raises:
        OutputValidationError: the answer does not fit the type.
        ConfigurationError: nothing can be read as that type.
    """
    agent = reply.agent
    schema = agent.output_schema if agent is not None else None
    if reply.limit is not None or not reply.messages or (schema is None and output_type is None):
        return None
    wanted = output_type
    if wanted is None and agent is not None and schema is not None:
        wanted = agent.output_type or known_type(schema)
    try:
        return parse_output(reply.messages[-1].text, wanted)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "the answer as a whole"
        reason = (
            f"{where} breaks the rule {first['type']!r} of the type; get_result(id, output_type=dict) reads it as it is"
        )
        raise OutputValidationError("OutputValidationError", reason, task_id=reply.task_id) from None
    except ValueError as error:
        raise OutputValidationError(
            "OutputValidationError", f"it is no JSON ({error})", task_id=reply.task_id
        ) from None
    except (PydanticUserError, TypeError) as error:
        raise ConfigurationError(f"output_type {wanted!r} cannot be read: {str(error).splitlines()[0]}") from None
