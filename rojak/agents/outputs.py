"""Answers that are to fit a schema: how the model is asked for them, and what is wrong with the one it gave."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rojak.types.activities import OutputProblem
from rojak.types.errors import ConfigurationError
from rojak.types.outputs import known_type

#: Mistakes that a model is told of at once, and characters of each: they quote what it wrote.
_MAX_MISTAKES, _MAX_MISTAKE = 5, 300
_FENCED = re.compile(r"\s*```[a-z]*\n(.*?)\n?```\s*", re.DOTALL)


def output_instructions(schema: dict[str, Any]) -> str:
    """What a model is told that has no way of its own to keep to a schema."""
    return (
        "When you give your final answer, answer with nothing but a JSON object that fits this JSON schema, without"
        f" any text around it:\n{json.dumps(schema, ensure_ascii=False)}"
    )


def strip_fence(text: str) -> str:
    """The text without the fence of Markdown that some models put around JSON."""
    fenced = _FENCED.fullmatch(text)
    return fenced[1] if fenced else text


def check_is_schema(schema: dict[str, Any]) -> None:
    """Look at a schema before a model is asked for anything.

    Raises:
        ConfigurationError: it is none.
    """
    _validator(json.dumps(schema))


def find_problem(text: str, schema: dict[str, Any]) -> OutputProblem | None:
    """What is wrong with an answer, or None.

    The schema decides. Where this process knows the type that the schema was made of, the rules that a schema cannot
    express (a pydantic validator's) are checked too.
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        return OutputProblem(rule="json", message=f"It is no JSON ({error}).")
    errors = sorted(_validator(json.dumps(schema)).iter_errors(value), key=lambda error: list(map(str, error.path)))
    if errors:
        mistakes = [f"{_show(error.absolute_path) or 'the answer'}: {error.message}" for error in errors]
        path = _names_only(errors[0].absolute_path, schema)
        return OutputProblem(field=path, rule=str(errors[0].validator), message=_told(mistakes))
    output_type = known_type(schema)
    if output_type is not None:
        try:
            TypeAdapter(output_type).validate_json(text)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False, include_context=False)
            mistakes = [f"{_show(each['loc']) or 'the answer'}: {each['msg']}" for each in found]
            return OutputProblem(
                field=_names_only(found[0]["loc"], schema), rule=found[0]["type"], message=_told(mistakes)
            )
    return None


@lru_cache(maxsize=64)
def _validator(schema_text: str) -> Any:
    """A validator of the schema that fetches nothing from anywhere."""
    # Here, because importing it takes a part of a second, and few workers need it.
    import jsonschema
    import referencing
    import referencing.exceptions
    import referencing.jsonschema

    schema = json.loads(schema_text)
    cls = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        cls.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise ConfigurationError(f"the agent's output_schema is no JSON schema: {error.message}") from None
    # What is not in the schema itself is nowhere.
    specification = referencing.jsonschema.specification_with(cls.META_SCHEMA["$schema"])
    registry: Any = referencing.Registry()
    resolver = registry.resolver_with_root(specification.create_resource(schema))
    for reference in _references(schema):
        try:
            resolver.lookup(reference)
        except referencing.exceptions.Unresolvable:
            raise ConfigurationError(
                f"the agent's output_schema refers to {reference!r}, which is not in it; put it under $defs"
            ) from None
    return cls(schema, registry=registry, format_checker=cls.FORMAT_CHECKER)


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(reference := schema.get("$ref"), str):
            yield reference
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _told(mistakes: list[str]) -> str:
    shown = [mistake[:_MAX_MISTAKE] for mistake in mistakes[:_MAX_MISTAKES]]
    if len(mistakes) > _MAX_MISTAKES:
        shown.append(f"and {len(mistakes) - _MAX_MISTAKES} more")
    return "; ".join(shown) + "."


def _show(path: Any) -> str:
    """A path as people write it: ``items[0].price``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _names_only(path: Any, schema: dict[str, Any]) -> str:
    """A path with the names that the schema has; others come from the answer, and become stars."""
    known = set(_property_names(schema))
    return _show([part if isinstance(part, int) or part in known else "*" for part in path])


def _property_names(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        properties = schema.get("properties")
        yield from properties if isinstance(properties, dict) else ()
        for value in schema.values():
            yield from _property_names(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _property_names(value)
