"""Answers of a given form: a Python type on the caller's side, its JSON schema everywhere else.

An agent travels as data, and a type does not. So the agent carries the schema, and each process remembers the types
that it made schemas of: where the type is known an answer becomes an object of it, and plain JSON data elsewhere.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import PydanticUserError, TypeAdapter

from rojak.types.errors import ConfigurationError

#: What `known_type` knows: types by their schema as text. None where two different types have the same one.
_known: dict[str, Any] = {}


def schema_of(output_type: Any) -> dict[str, Any]:
    """The JSON schema of a type, which is remembered.

    Raises:
        ConfigurationError: it has none, or one that is no object.
    """
    try:
        schema = TypeAdapter(output_type).json_schema()
    except (PydanticUserError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigurationError(f"output_type {_name_of(output_type)} has no JSON schema: {reason}") from None
    try:
        schema = check_schema(schema)
    except ValueError as error:
        raise ConfigurationError(f"output_type {_name_of(output_type)}: {error}") from None
    key = _key(schema)
    known = _known.get(key, output_type)
    # A class that was defined again, in a notebook for instance, takes the place of the one before.
    _known[key] = output_type if _identity(known) == _identity(output_type) else None
    return schema


def known_type(schema: dict[str, Any]) -> Any | None:
    """The type that this process made the schema of; None where it made none, or several."""
    return _known.get(_key(schema))


def check_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with what is at its root inlined, as providers want it.

    Raises:
        ValueError: it is not the schema of an object.
    """
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/$defs/"):
        definition = schema.get("$defs", {}).get(reference.removeprefix("#/$defs/"), {})
        schema = {**definition, "$defs": schema["$defs"]}
    if schema.get("type") != "object":
        raise ValueError(
            "the schema of an answer has to be that of an object, because that is what providers take; make it a"
            ' field of one: {"type": "object", "properties": {"answer": ...}}, or a model with one field'
        )
    return schema


def parse_output(text: str, output_type: Any | None) -> Any:
    """An answer's text as an object of the type, or as plain JSON data where there is none.

    Raises:
        ValueError: it is no JSON, or does not fit the type.
    """
    return json.loads(text) if output_type is None else TypeAdapter(output_type).validate_json(text)


def _key(schema: dict[str, Any]) -> str:
    return json.dumps(schema, sort_keys=True)


def _identity(output_type: Any) -> tuple[str, str]:
    return getattr(output_type, "__module__", ""), _name_of(output_type)


def _name_of(output_type: Any) -> str:
    return getattr(output_type, "__qualname__", None) or repr(output_type)
