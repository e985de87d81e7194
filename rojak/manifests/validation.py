"""Checks one manifest against its kind's schema, and says what is wrong as a person would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rojak.manifests.base import WITHOUT_RULES, Model
from rojak.manifests.documents import Document
from rojak.manifests.problems import Location, Problem, path_of, suggestion
from rojak.manifests.resource import ObjectMeta, Resource

T = TypeVar("T", bound=Resource)

_WANTED: Final = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list: begin each item with '- '",
    "dict_type": "a mapping: fields with ': ', indented",
    "model_type": "a mapping: fields with ': ', indented",
    "model_attributes_type": "a mapping: fields with ': ', indented",
}
#: What people look for in other places; models take it, and the schema does not list it.
_MODEL_PARAMETERS: Final = {"temperature", "topp", "maxtokens", "maxoutputtokens", "reasoningeffort", "seed", "stop"}
_BOUNDS: Final = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
}


def validate(cls: type[T], document: Document, problems: list[Problem]) -> T | None:
    """The manifest as an object; None, and everything that is wrong added to the problems, if it is not valid."""
    found = [*_schema_errors(cls, document.data), *_broken_rules(cls, document.data, ())]
    if not found:
        return cls.model_validate(document.data)
    name = label_of(document.data)
    for location, message in _in_order(found, document):
        problems.append(Problem(document.file, document.place_of(location), message, name, location))
    return None


def label_of(data: Any) -> str:
    """What a manifest calls itself: ``Agent/triage``."""
    metadata = data.get("metadata") if isinstance(data, Mapping) else None
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return f"{data['kind']}/{name}" if isinstance(name, str) else f"{data['kind']}"


Found = tuple[Location, str]


def _in_order(found: list[Found], document: Document) -> list[Found]:
    return sorted(dict.fromkeys(found), key=lambda item: document.place_of(item[0]))


def _schema_errors(cls: type[Resource], data: Any) -> Iterator[Found]:
    nulls = list(_nulls(cls, data, ()))
    yield from nulls
    empty = {location for location, _ in nulls}
    try:
        cls.model_validate(data, context=WITHOUT_RULES)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            location = details["loc"]
            if location not in empty:
                yield location, _explain(cls, details)


def _explain(cls: type[Resource], details: ErrorDetails) -> str:
    kind, context, said = details["type"], details.get("ctx", {}), details["input"]
    match kind:
        case "extra_forbidden":
            return _unknown_field(cls, details["loc"])
        case "missing":
            return "is missing"
        case "literal_error":
            values = get_literals(cls, details["loc"])
            return f"must be {_one_of(values)}, not {_shown(said)}{suggestion(said, values)}"
        case "string_too_short" | "too_short":
            return "must not be empty"
        case "string_too_long":
            return f"is too long: {len(said)} characters of at most {context['max_length']}"
        case "too_long":
            return f"has too many items: {context['actual_length']} of at most {context['max_length']}"
        case "string_type" if isinstance(said, int | float):
            return f'must be text; put it in quotes: "{_shown(said)}"'
        case _ if kind in _WANTED:
            return f"must be {_WANTED[kind]}, not {_shown(said)}"
        case _ if kind in _BOUNDS:
            return f"{_BOUNDS[kind].format(**context)}, not {_shown(said)}"
    return details["msg"]


def _unknown_field(cls: type[Resource], location: Location) -> str:
    *around, name = location
    here = model_at(cls, tuple(around))
    fields = [field.alias or key for key, field in here.model_fields.items()] if here else []
    hint = suggestion(name, fields)
    if not hint:
        elsewhere = next(_paths_of(cls, str(name)), None)
        hint = f"; there is {elsewhere}" if elsewhere else ""
        if str(name).replace("_", "").lower() in _MODEL_PARAMETERS:
            hint = "; parameters of the model go under spec.model.parameters"
    return f"unknown field{hint or '; the fields here are ' + ', '.join(fields)}"


def _shown(value: Any) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case str():
            return repr(value if len(value) <= 60 else value[:57] + "...")
        case int() | float():
            return str(value)
        case list():
            return "a list"
    return "a mapping"


def _one_of(values: list[str]) -> str:
    return values[0] if len(values) == 1 else f"{', '.join(values[:-1])} or {values[-1]}"


def _nulls(cls: type[BaseModel], data: Any, location: Location) -> Iterator[Found]:
    """Fields without a value: the API server takes none, while pydantic would take it for a field left out."""
    for name, inner, value in _fields_of(cls, data):
        if value is None:
            yield (*location, name), "is empty; give it a value or remove the line"
        for model, part, where in _models_in(inner, value, (*location, name)):
            yield from _nulls(model, part, where)


def _broken_rules(cls: type[BaseModel], data: Any, location: Location) -> Iterator[Found]:
    if not isinstance(data, Mapping):
        return
    if issubclass(cls, Model):
        for rule in cls.rules:
            if not rule.is_kept(data):
                yield (*location, rule.at) if rule.at and rule.at in data else location, rule.message
    for name, inner, value in _fields_of(cls, data):
        for model, part, where in _models_in(inner, value, (*location, name)):
            yield from _broken_rules(model, part, where)


def _fields_of(cls: type[BaseModel], data: Any) -> Iterator[tuple[str, Any, Any]]:
    """Name, type and value of the fields that are there."""
    if isinstance(data, Mapping):
        for key, field in cls.model_fields.items():
            name = field.alias or key
            if name in data:
                yield name, field.annotation, data[name]


def _models_in(annotation: Any, value: Any, location: Location) -> Iterator[tuple[type[BaseModel], Any, Location]]:
    """The parts of a value that a model describes: itself, or the items of its list."""
    model, is_list = unwrap(annotation)
    if model is None:
        return
    if not is_list:
        yield model, value, location
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield model, item, (*location, index)


def unwrap(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The model that a field's type holds, if it holds one, and whether it holds a list of it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    for part in get_args(annotation):
        model, is_list = unwrap(part)
        if model is not None:
            return model, is_list or getattr(annotation, "__origin__", None) is list
    return None, False


def model_at(cls: type[BaseModel], location: Location) -> type[BaseModel] | None:
    """The model that describes the part of a manifest at the location."""
    here: type[BaseModel] | None = cls
    for step in location:
        if here is None or isinstance(step, int):
            continue
        field = next((field for key, field in here.model_fields.items() if step in (field.alias, key)), None)
        here = unwrap(field.annotation)[0] if field else None
    return here


def get_literals(cls: type[BaseModel], location: Location) -> list[str]:
    """The values that the field at the location takes, if they are listed."""
    names = [step for step in location if isinstance(step, str)]
    owner = model_at(cls, tuple(names[:-1]))
    field = next((f for key, f in owner.model_fields.items() if names[-1] in (f.alias, key)), None) if owner else None
    return list(_strings_in(field.annotation)) if field else []


def _strings_in(annotation: Any) -> Iterator[str]:
    for part in get_args(annotation):
        if isinstance(part, str):
            yield part
        else:
            yield from _strings_in(part)


def _paths_of(cls: type[BaseModel], name: str, location: Location = ()) -> Iterator[str]:
    """Where else in the manifest there is a field of that name."""
    for key, field in cls.model_fields.items():
        alias = field.alias or key
        if alias in ("status", "metadata") and not location:
            continue
        model, is_list = unwrap(field.annotation)
        if alias == name:
            yield path_of((*location, alias))
        if model is not None and model is not ObjectMeta:
            yield from _paths_of(model, name, (*location, f"{alias}[]" if is_list else alias))
