"""From the JSON that a model wrote to the arguments of the function, or to a text that lets the model do
better.

Models forget arguments, make some up, write numbers as text and stop in the middle of the JSON. Each of these
is answered with what is wrong and what was expected, in the terms of the schema that the model was shown.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails, from_json, to_json

from rojak.tools.results import failure
from rojak.tools.schema import FunctionSpec
from rojak.types.activities import ToolFailed

#: Name of the error that is returned when arguments do not fit.
INVALID_ARGUMENTS = "InvalidArgumentsError"

#: Problems told at once; the model will not read more.
_MAX_PROBLEMS = 20
#: Characters of a wrong value that are repeated.
_MAX_VALUE = 80

_PREFIXES = {"Value error, ": "", "Assertion failed, ": "", "Input should ": "should "}


def bind_arguments(spec: FunctionSpec, arguments_json: str) -> dict[str, Any] | ToolFailed:
    """The arguments by parameter name, converted to what the function's annotations say.

    Conversion is lax: ``"5"`` is an integer where one is wanted, and 5 a string. What was left out is not in
    the dictionary, so that the function's own default counts; ``null`` for a parameter that has a default and
    does not take None is the same as leaving it out. An empty text, and ``null``, are no arguments.

    Returns:
        The arguments, or a ToolFailed whose message tells the model each argument that is wrong, and what is
        expected.
    """
    text = "{}" if arguments_json.strip() in ("", "null") else arguments_json
    try:
        values = _validate(spec, text)
    except ValidationError as error:
        return ToolFailed(error_type=INVALID_ARGUMENTS, message=_explain(spec, text, error))
    except Exception as error:  # noqa: BLE001 - validators of the user's own types may raise anything
        return failure(error)
    if refused := sorted(values.keys() & spec.hidden):
        lines = "\n".join(f"- {name}: {_unknown(spec)}" for name in refused)
        return ToolFailed(error_type=INVALID_ARGUMENTS, message=f"Wrong arguments for {spec.name}:\n{lines}")
    return values


def _validate(spec: FunctionSpec, text: str) -> dict[str, Any]:
    try:
        return spec.arguments.validate_json(text)
    except ValidationError as error:
        wrong = {details["loc"][0] for details in error.errors(include_url=False) if details["loc"]}
        if not wrong:
            raise
        document = from_json(text)
        needless = {
            name for name, value in document.items() if value is None and name in wrong and name in _optional(spec)
        }
        if not needless:
            raise
        kept = {name: value for name, value in document.items() if name not in needless}
        return spec.arguments.validate_json(to_json(kept))


def _optional(spec: FunctionSpec) -> set[str]:
    return set(spec.parameters["properties"]) - set(spec.parameters["required"])


def _explain(spec: FunctionSpec, text: str, error: ValidationError) -> str:
    errors = error.errors(include_url=False)
    example = f"Send one JSON object{_outline(spec)}."
    if errors[0]["type"] == "json_invalid":
        reason = errors[0]["msg"].removeprefix("Invalid JSON: ")
        return f"The arguments of {spec.name} are not valid JSON: {reason}. {example}"
    if not errors[0]["loc"]:
        return f"The arguments of {spec.name} are not a JSON object. {example}"
    document = from_json(text)
    problems: dict[str, list[str]] = {}
    for details in errors:
        # The branches of a union fail one by one, and belong together.
        told = problems.setdefault(_place(details, document), [])
        problem = _problem(spec, details)
        if problem not in told:
            told.append(problem)
    lines = [f"- {place}: {'; or '.join(told)}" for place, told in problems.items()]
    if len(lines) > _MAX_PROBLEMS:
        lines[_MAX_PROBLEMS:] = [f"- and {len(lines) - _MAX_PROBLEMS} more"]
    return "\n".join([f"Wrong arguments for {spec.name}:", *lines])


def _outline(spec: FunctionSpec) -> str:
    """The shape of the arguments in brief: ``with name (string), age (integer)``."""
    properties, required = spec.parameters["properties"], spec.parameters["required"]
    if not properties:
        return " without entries: {}"
    names = [
        f"{name} ({_expected(schema, spec)}{'' if name in required else ', optional'})"
        for name, schema in properties.items()
    ]
    return " with " + ", ".join(names)


def _unknown(spec: FunctionSpec) -> str:
    known = ", ".join(spec.parameters["properties"])
    return f"there is no such argument; the arguments are: {known}" if known else "the function takes no arguments"


def _problem(spec: FunctionSpec, details: ErrorDetails) -> str:
    at_top = len(details["loc"]) == 1
    if details["type"] == "missing":
        expected = _expected(spec.parameters["properties"].get(details["loc"][0], {}), spec) if at_top else ""
        return f"is missing; expected {expected}" if expected else "is missing"
    if details["type"] == "extra_forbidden":
        return _unknown(spec) if at_top else "there is no such entry"
    message = details["msg"]
    for prefix, replacement in _PREFIXES.items():
        if message.startswith(prefix):
            message = replacement + message.removeprefix(prefix)
    value = json.dumps(details["input"], ensure_ascii=False, default=str)
    return f"{message}; got {value if len(value) <= _MAX_VALUE else value[:_MAX_VALUE] + '...'}"


def _place(details: ErrorDetails, document: Any) -> str:
    """Where in the document the error is: ``pizza.toppings[2]``.

    pydantic's locations also name branches of unions and validators on the way. Those are no places in the
    document.
    """
    place = ""
    last = len(details["loc"]) - 1
    for index, key in enumerate(details["loc"]):
        if isinstance(document, list) and isinstance(key, int) and 0 <= key < len(document):
            place += f"[{key}]"
            document = document[key]
        elif isinstance(document, dict) and key in document:
            place += f".{key}"
            document = document[key]
        elif index == last and details["type"] == "missing":
            place += f"[{key}]" if isinstance(document, list) else f".{key}"
    return place.removeprefix(".")


def _expected(schema: Any, spec: FunctionSpec) -> str:
    """A JSON schema in a few words: ``integer``, ``one of "S", "M"``, ``array of string``."""
    if not isinstance(schema, dict):
        return "any value"
    if "$ref" in schema:
        return _expected(spec.parameters["$defs"][schema["$ref"].removeprefix("#/$defs/")], spec)
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join(json.dumps(value) for value in schema["enum"])
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " or ".join(_expected(member, spec) for member in schema[union])
    kind = schema.get("type", "any value")
    if kind == "array" and schema.get("items"):
        # One level is enough: a type may contain itself.
        items = schema["items"]
        return f"array of {items.get('type', 'object')}"
    return f"{kind} ({schema['format']})" if "format" in schema else str(kind)
