"""From a Python function to the JSON schema that a model is shown, and to the validator of what it sends.

Both come from the same pydantic type, so that what the schema promises is what the validator takes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired, cast, get_origin

from pydantic import ConfigDict, Field, TypeAdapter, WithJsonSchema
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind

# pydantic asks for this one on Python 3.11, and brings it.
from typing_extensions import TypedDict

from rojak.tools.signature import (
    CONTEXT_PARAMETER,
    EMPTY,
    Parameter,
    Signature,
    describes_itself,
    read_signature,
)
from rojak.types.errors import ConfigurationError

#: What providers take as the name of a function.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

#: A parameter without annotation: the model is told text, and whatever it sends is passed on.
_UNTYPED = Annotated[Any, WithJsonSchema({"type": "string"})]

_LOOK_AROUND = ("(?=", "(?!", "(?<=", "(?<!")


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """A registered function, and all that is known of it.

    Attributes:
        name: by which agents and models know it.
        function: what is called.
        location: ``module:line`` of its source.
        schema: OpenAI's form of a tool; shared by all who ask for it, so not to be changed.
        arguments: validates the model's JSON into a dictionary of typed arguments.
        positional_only: the parameters that cannot be passed by name, in order.
        hidden: names that the model may not set: the context variables, and what a partial has bound.
        takes_context: whether it has a parameter ``context_variables``.
        is_async: whether calling it makes a coroutine.
    """

    name: str
    function: Callable[..., Any]
    location: str
    schema: dict[str, Any]
    arguments: TypeAdapter[dict[str, Any]]
    positional_only: tuple[Parameter, ...]
    hidden: frozenset[str]
    takes_context: bool
    is_async: bool

    @property
    def parameters(self) -> dict[str, Any]:
        """JSON schema of the arguments."""
        return cast(dict[str, Any], self.schema["function"]["parameters"])

    def call(self, arguments: dict[str, Any], context_variables: dict[str, Any] | None) -> Any:
        """Call the function.

        Args:
            arguments: as `rojak.tools.bind_arguments` made them; taken apart.
            context_variables: passed as they are if the function takes them.
        """
        if self.takes_context:
            arguments[CONTEXT_PARAMETER] = context_variables
        positional = [arguments.pop(p.name, p.default) for p in self.positional_only]
        return self.function(*positional, **arguments)


def function_to_json(function: Callable[..., Any]) -> dict[str, Any]:
    """The function as an OpenAI tool: ``{"type": "function", "function": {name, description, parameters}}``.

    The description is the docstring, dedented. Parameters without a default are required; a default itself is
    not shown (that of a pydantic ``Field`` is). A parameter without annotation is a string. Annotations may
    be anything that pydantic knows: ``X | None``, ``Literal``, enums, lists, dictionaries, tuples, sets,
    dataclasses, TypedDicts, pydantic models (under ``$defs`` of the parameters), dates, UUIDs, decimals.
    ``Annotated[str, "description"]`` and ``Annotated[str, Field(description=...)]`` describe a parameter.
    ``**kwargs`` become additional properties. ``context_variables`` and what a `functools.partial` has bound
    are left out.

    Raises:
        ConfigurationError: the function, or the parameter named in the message, cannot be described as JSON.
    """
    return specify(function).schema


def specify(function: Callable[..., Any]) -> FunctionSpec:
    """Look at a function once and for all.

    Raises:
        ConfigurationError: see `function_to_json`.
    """
    signature = read_signature(function)
    where = f"function {signature.name!r} ({signature.location})"
    if not _NAME.fullmatch(signature.name):
        raise ConfigurationError(
            f"{where}: a model can call a function only if its name has up to 64 of A-Z, a-z, 0-9, _ and -;"
            " define it with such a name"
        )
    arguments, parameters = _describe_arguments(signature, where)
    schema = {
        "type": "function",
        "function": {
            "name": signature.name,
            "description": signature.description,
            "parameters": parameters,
        },
    }
    takes_context = any(p.name == CONTEXT_PARAMETER for p in signature.parameters)
    return FunctionSpec(
        name=signature.name,
        function=function,
        location=signature.location,
        schema=schema,
        arguments=arguments,
        positional_only=tuple(p for p in signature.parameters if p.positional_only),
        hidden=signature.bound | {CONTEXT_PARAMETER},
        takes_context=takes_context,
        is_async=signature.is_async,
    )


def _describe_arguments(signature: Signature, where: str) -> tuple[TypeAdapter[dict[str, Any]], dict[str, Any]]:
    """The validator of the arguments, and their JSON schema."""
    fields = {p.name: _field_type(p) for p in signature.parameters if p.name != CONTEXT_PARAMETER}
    extra = None if signature.extra is None else (Any if signature.extra is EMPTY else signature.extra)
    try:
        return _build(fields, extra)
    except Exception as error:
        # A type's own hooks take part in building, and may raise anything.
        culprit = next((name for name, field in fields.items() if not _can_build({name: field})), None)
        what = f"parameter {culprit!r}" if culprit else "the type of its **kwargs" if extra else "the parameters"
        # What follows the first sentence is advice on pydantic's settings.
        reason = str(error).split("\n", 1)[0].split(". ", 1)[0].removesuffix(".")
        raise ConfigurationError(
            f"{where}: {what} cannot be described as JSON, so no model can fill it ({reason}). Annotate it with a"
            " JSON type, a dataclass or a pydantic model; what the function needs beside the model's arguments"
            " goes into a closure or a functools.partial"
        ) from error


def _field_type(parameter: Parameter) -> Any:
    annotation = _UNTYPED if parameter.annotation is EMPTY else _with_description(parameter.annotation)
    if describes_itself(parameter.default):
        return Annotated[annotation, parameter.default]
    # The function fills in its own defaults; the validator must only know that it may be left out.
    return annotation if parameter.default is EMPTY else NotRequired[annotation]


def _with_description(annotation: Any) -> Any:
    """``Annotated[X, "text"]`` as ``Annotated[X, Field(description="text")]``."""
    if get_origin(annotation) is not Annotated:
        return annotation
    metadata = annotation.__metadata__
    texts = [text for text in metadata if isinstance(text, str)]
    if not texts or any(isinstance(other, FieldInfo) and other.description for other in metadata):
        return annotation
    return Annotated[annotation, Field(description=texts[0])]


def _build(fields: dict[str, Any], extra: Any) -> tuple[TypeAdapter[dict[str, Any]], dict[str, Any]]:
    # The static form of TypedDict cannot be had: the fields are known at run time only.
    make = cast(Any, TypedDict)
    if extra is None:
        arguments = make("Arguments", fields)
        # Models write "12345" as a number where a postcode is asked for.
        arguments.__pydantic_config__ = ConfigDict(extra="forbid", coerce_numbers_to_str=True)
    else:
        arguments = make("Arguments", fields, extra_items=extra)
        arguments.__pydantic_config__ = ConfigDict(coerce_numbers_to_str=True)
    adapter: TypeAdapter[dict[str, Any]] = TypeAdapter(arguments)
    if not adapter.pydantic_complete:
        # It names something that does not exist, and this error says what.
        adapter.rebuild(raise_errors=True)
    return adapter, _parameters_schema(adapter)


def _can_build(fields: dict[str, Any]) -> bool:
    try:
        _build(fields, None)
    except Exception:  # noqa: BLE001 - see _describe_arguments, which tells the error
        return False
    return True


class _ToolSchema(GenerateJsonSchema):
    """pydantic's schemas; a default that JSON cannot express is left out without a warning."""

    def emit_warning(self, kind: JsonSchemaWarningKind, detail: str) -> None:
        """Say nothing."""


def _parameters_schema(arguments: TypeAdapter[dict[str, Any]]) -> dict[str, Any]:
    raw = _tidy(arguments.json_schema(schema_generator=_ToolSchema))
    schema = {"type": "object", "properties": raw.get("properties", {}), "required": raw.get("required", [])}
    if raw.get("additionalProperties", False) is not False:
        schema["additionalProperties"] = raw["additionalProperties"]
    if "$defs" in raw:
        schema["$defs"] = raw["$defs"]
    return schema


def _tidy(schema: Any) -> Any:
    """The schema without what models do not need, and with what providers insist on.

    Titles go: they repeat names. Patterns with look-around go, since OpenAI answers a schema that has one
    with a 5xx now and then; the validator still applies them. Arrays get ``items`` where a tuple has
    ``prefixItems`` alone, without which OpenAI refuses the schema.
    """
    if not isinstance(schema, dict):
        return schema
    tidy: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "title" or (key == "pattern" and any(mark in value for mark in _LOOK_AROUND)):
            continue
        if key in ("properties", "$defs", "patternProperties"):
            tidy[key] = {name: _tidy(child) for name, child in value.items()}
        elif key in ("anyOf", "oneOf", "allOf", "prefixItems"):
            tidy[key] = [_tidy(child) for child in value]
        elif key in ("items", "additionalProperties", "propertyNames", "contains", "not"):
            tidy[key] = _tidy(value)
        else:
            tidy[key] = value
    if tidy.get("type") == "array" and "items" not in tidy:
        members: list[Any] = []
        for member in tidy.get("prefixItems", []):
            if member not in members:
                members.append(member)
        if len(members) == 1:
            del tidy["prefixItems"]
            tidy["items"] = members[0]
        else:
            tidy["items"] = {"anyOf": members} if members else {}
    return tidy
