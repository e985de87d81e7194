"""Schemas in the subset of JSON schema that providers can hold a model to.

A keyword outside of the subset is not lost: it goes into the description, where the model reads it, and the answer
is checked against the whole schema anyway. What cannot be expressed at all (an object with names of its own choosing,
say) makes a schema that no provider can enforce.
"""

from __future__ import annotations

from typing import Any

#: Keywords whose values are schemas, and which both providers know.
_ANNOTATIONS = frozenset({"type", "enum", "const", "title"})
_UNENFORCEABLE = frozenset(
    {"allOf", "not", "if", "then", "else", "patternProperties", "propertyNames", "prefixItems", "contains"}
    | {"dependentRequired", "dependentSchemas", "unevaluatedProperties", "unevaluatedItems", "$dynamicRef"}
)
#: What OpenAI enforces besides. https://platform.openai.com/docs/guides/structured-outputs
OPENAI_KEYWORDS = frozenset(
    {"pattern", "format", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
    | {"minItems", "maxItems"}
)
#: Anthropic. https://platform.claude.com/docs/en/build-with-claude/structured-outputs
ANTHROPIC_KEYWORDS = frozenset({"format"})
#: Formats that both know.
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})


class _CannotBeStrictError(Exception):
    """The schema says something that no provider enforces."""


def strict_schema(
    schema: dict[str, Any], keywords: frozenset[str], *, require_all: bool = False, allow_recursion: bool = True
) -> dict[str, Any] | None:
    """The schema in the subset, or None where it cannot be.

    Args:
        schema: of an object.
        keywords: those that the provider enforces besides the common ones.
        require_all: whether the provider wants every property to be required.
        allow_recursion: whether the provider takes schemas that contain themselves.
    """
    if not allow_recursion and _is_recursive(schema.get("$defs", {})):
        return None
    try:
        return _strict(schema, keywords, require_all)
    except _CannotBeStrictError:
        return None


def _strict(schema: Any, keywords: frozenset[str], require_all: bool) -> dict[str, Any]:
    if not isinstance(schema, dict) or not schema or schema.keys() & _UNENFORCEABLE:
        raise _CannotBeStrictError
    if "$ref" in schema:
        # Neither provider takes anything beside a reference.
        return {"$ref": schema["$ref"]}
    strict: dict[str, Any] = {}
    told: list[str] = []
    for key, value in schema.items():
        match key:
            case "$defs":
                strict[key] = {name: _strict(each, keywords, require_all) for name, each in value.items()}
            case "anyOf" | "oneOf":
                strict["anyOf"] = [_strict(each, keywords, require_all) for each in value]
            case "items":
                strict[key] = _strict(value, keywords, require_all)
            case "properties":
                strict[key] = {name: _strict(each, keywords, require_all) for name, each in value.items()}
            case "additionalProperties":
                if value is not False:
                    raise _CannotBeStrictError
            case "description" | "required" | "discriminator" | "$schema":
                continue
            case "default":
                told.append(f"default: {value}")
            case "format" if value not in _FORMATS:
                told.append(f"format: {value}")
            case _ if key in _ANNOTATIONS or key in keywords:
                strict[key] = value
            case _:
                told.append(f"{key}: {value}")
    if strict.get("type") == "object":
        strict.setdefault("properties", {})
        strict["additionalProperties"] = False
        strict["required"] = list(strict["properties"]) if require_all else schema.get("required", [])
    elif not strict.keys() & {"type", "enum", "const", "anyOf"}:
        raise _CannotBeStrictError
    if strict.get("type") == "array" and "items" not in strict:
        raise _CannotBeStrictError
    description = "\n\n".join(part for part in (schema.get("description"), ", ".join(told)) if part)
    return {**strict, "description": description} if description else strict


def _is_recursive(definitions: dict[str, Any]) -> bool:
    uses = {name: set(_references(definition)) for name, definition in definitions.items()}
    reached = uses
    for _ in definitions:
        reached = {name: used.union(*(uses.get(each, set()) for each in used)) for name, used in reached.items()}
    return any(name in used for name, used in reached.items())


def _references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [name for each in schema for name in _references(each)]
    if not isinstance(schema, dict):
        return []
    reference = schema.get("$ref")
    found = [reference.removeprefix("#/$defs/")] if isinstance(reference, str) else []
    return found + [name for each in schema.values() for name in _references(each)]
