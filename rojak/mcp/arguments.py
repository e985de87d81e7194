"""Arguments that a model wrote, checked against the schema of the tool before the server gets to see them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import validator_for
from pydantic_core import from_json
from referencing import Registry
from referencing.exceptions import Unresolvable

from rojak.tools.arguments import INVALID_ARGUMENTS
from rojak.types.activities import ToolFailed

#: Problems told at once, and characters of each; the model will not read more.
_MAX_PROBLEMS = 10
_MAX_TEXT = 300


class ArgumentsError(Exception):
    """Arguments do not fit. The text tells the model what is wrong."""

    def outcome(self) -> ToolFailed:
        """What comes of the call."""
        return ToolFailed(error_type=INVALID_ARGUMENTS, message=str(self))


def check_arguments(name: str, schema: dict[str, Any], text: str) -> dict[str, Any]:
    """The arguments as the server gets them.

    ``null`` for an argument that need not be there and takes none is the same as leaving it out.

    Args:
        name: of the tool, as the model knows it.
        schema: of its arguments.
        text: what the model wrote.

    Raises:
        ArgumentsError: they are no JSON object, or not as the schema wants them.
    """
    try:
        arguments = from_json("{}" if text.strip() in ("", "null") else text)
    except ValueError as error:
        raise ArgumentsError(f"The arguments of {name} are not valid JSON: {error}. Send one JSON object.") from None
    if not isinstance(arguments, dict):
        raise ArgumentsError(f"The arguments of {name} are not a JSON object.")
    # An empty registry: a schema that refers to another document must not make the worker fetch it.
    validator = validator_for(schema, default=Draft202012Validator)(schema, registry=Registry())
    try:
        errors = list(validator.iter_errors(arguments))
        required = schema.get("required", [])
        needless = {e.path[0] for e in errors if len(e.path) == 1 and e.instance is None and e.path[0] not in required}
        if needless:
            arguments = {key: value for key, value in arguments.items() if key not in needless}
            errors = list(validator.iter_errors(arguments))
    except (Unresolvable, RecursionError):
        # Only the server can tell.
        return arguments
    if errors:
        raise ArgumentsError(f"Wrong arguments for {name}:\n" + "\n".join(_describe(errors)))
    return arguments


def _describe(errors: list[ValidationError]) -> Iterable[str]:
    for error in errors[:_MAX_PROBLEMS]:
        place = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in error.path).removeprefix(".")
        text = error.message if len(error.message) <= _MAX_TEXT else error.message[:_MAX_TEXT] + "..."
        yield f"- {place}: {text}" if place else f"- {text}"
    if len(errors) > _MAX_PROBLEMS:
        yield f"- and {len(errors) - _MAX_PROBLEMS} more"


def canonical(value: Any) -> str:
    """JSON that is the same for values that JSON takes as the same."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
