"""Checks one manifest against its kind's schema, and says what is wrong as a person would."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from rojak.manifests.base import WITHOUT_RULES, Model
from rojak.manifests.documents import Document
from rojak.manifests.problems import Location, Problem, closest, path_of, suggestion
from rojak.manifests.resource import Resource

T = TypeVar("T", bound=Resource)

_WANTED: Final = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list, of items that begin with '- '",
    "dict_type": "a mapping, of fields with ': ' that are indented",
    "model_type": "a mapping, of fields with ': ' that are indented",
    "model_attributes_type": "a mapping, of fields with ': ' that are indented",
}
#: What people look for in other places; models take it, and the schema does not list it.
_MODEL_PARAMETERS: Final = {"temperature", "topp", "maxtokens", "maxoutputtokens", "reasoningeffort", "seed", "stop"}
#: Text that would be something else without its quotes.
_SCALAR: Final = re.compile(r"^(-?[0-9]+(\.[0-9]+)?|true|false|yes|no)$", re.IGNORECASE)
_BOUNDS: Final = {
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
}


def validate(cls: type[T], document: Document, problems: list[Problem]) -> T | None:
    """The manifest as an object; None, and everything that is wrong added to the problems, if it is not valid."""
    nulls: set[Location] = set()
    data = _without_nulls(cls, document.data, (), nulls)
    found = _without_consequences([*_schema_errors(cls, data, nulls), *_broken_rules(cls, data, ())])
    wrong = {item.location for item in found}
    found += [
        Found(location, "is empty, as if left out; give it a value or remove the line", "empty")
        for location in nulls - wrong
    ]
    name = label_of(document.data)
    problems += [
        Problem(
            document.file,
            document.place_of(item.location),
            item.message,
            name,
            item.location,
            "warning" if item.sort == "empty" else "error",
        )
        for item in sorted(found, key=lambda item: document.place_of(item.location))
    ]
    return None if wrong else cls.parse(data)


def label_of(data: Any) -> str:
    """What a manifest calls itself: ``Agent/triage``."""
    metadata = data.get("metadata") if isinstance(data, Mapping) else None
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return f"{data['kind']}/{name}" if isinstance(name, str) else f"{data['kind']}"


class Found(NamedTuple):
    """Something that is wrong, and of which sort; ``meant`` is the field that an unknown one was probably to be."""

    location: Location
    message: str
    sort: Literal["unknown", "empty", "missing", "rule", "other"] = "other"
    meant: str | None = None


def _without_consequences(found: list[Found]) -> list[Found]:
    """Leave out what is wrong only because of something else: who wrote ``agent:`` has not forgotten ``agentRef:``."""
    mistaken = {item.location[:-1] for item in found if item.sort == "unknown"}
    meant = {(*item.location[:-1], item.meant) for item in found if item.meant}
    return [
        item
        for item in found
        if not (item.sort == "rule" and item.location in mistaken)
        and not (item.sort == "missing" and item.location in meant)
    ]


def _schema_errors(cls: type[Resource], data: Any, nulls: set[Location]) -> Iterator[Found]:
    try:
        cls.model_validate(data, context=WITHOUT_RULES, by_alias=True, by_name=False)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            location = details["loc"]
            if details["type"] == "extra_forbidden":
                yield _unknown_field(cls, location)
            elif details["type"] == "missing":
                empty = location in nulls
                yield Found(location, "is empty; give it a value" if empty else "is missing", "missing")
            else:
                yield Found(location, _explain(cls, details))


def _explain(cls: type[Resource], details: ErrorDetails) -> str:
    kind, context, said = details["type"], details.get("ctx", {}), details["input"]
    match kind:
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
            # A value may be a secret, and what we say ends up in the logs of pipelines.
            quoted = "" if details["loc"][-1] == "value" else f': "{_shown(said)}"'
            return f"must be text; put it in quotes{quoted}"
        case "int_type" | "float_type" | "bool_type" if isinstance(said, str) and _SCALAR.match(said):
            return f"must be {_WANTED[kind]}, not {_shown(said)}; remove the quotes"
        case _ if kind in _WANTED:
            # Who writes text where a reference belongs may have written a key.
            return f"must be {_WANTED[kind]}, not {'text' if isinstance(said, str) else _shown(said)}"
        case _ if kind in _BOUNDS:
            return f"{_BOUNDS[kind].format(**context)}, not {_shown(said)}"
    return details["msg"]


def _unknown_field(cls: type[Resource], location: Location) -> Found:
    *around, last = location
    name = str(last)
    here = model_at(cls, tuple(around))
    fields = [field.alias or key for key, field in here.model_fields.items()] if here else []
    meant = closest(name, fields)
    if name.replace("_", "").lower() in _MODEL_PARAMETERS:
        hint = "; parameters of the model go under spec.model.parameters"
    elif name == "namespace" and here is not None and here.__name__.endswith("Ref"):
        hint = "; references stay in their namespace: remove it"
    elif meant:
        hint = f"; did you mean {meant!r}?"
    elif inner := next(_paths_of(here or cls, name, tuple(around)), None) or next(_paths_of(cls, name), None):
        hint = f"; it belongs to {path_of(inner)}"
    else:
        hint = f"; the fields here are {', '.join(fields)}"
    return Found(location, f"unknown field{hint}", "unknown", meant)


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


def _without_nulls(cls: type[BaseModel], data: Any, location: Location, nulls: set[Location]) -> Any:
    """The data without fields that have no value, as the API server takes it; adds where they were to ``nulls``."""
    if not isinstance(data, Mapping):
        return data
    kept = dict(data)
    for name, inner, value in _fields_of(cls, data):
        where = (*location, name)
        model, is_list = unwrap(inner)
        if value is None:
            nulls.add(where)
            del kept[name]
        elif model is not None and is_list and isinstance(value, list):
            kept[name] = [_without_nulls(model, item, (*where, index), nulls) for index, item in enumerate(value)]
        elif model is not None:
            kept[name] = _without_nulls(model, value, where, nulls)
        elif isinstance(value, Mapping) and not _holds_anything(inner):
            nulls |= {(*where, key) for key, item in value.items() if item is None}
            kept[name] = {key: item for key, item in value.items() if item is not None}
    return kept


def _holds_anything(annotation: Any) -> bool:
    """Whether it is a mapping whose values we know nothing about."""
    return Any in get_args(annotation) or any(_holds_anything(part) for part in get_args(annotation))


def _broken_rules(cls: type[BaseModel], data: Any, location: Location) -> Iterator[Found]:
    if not isinstance(data, Mapping):
        return
    if issubclass(cls, Model):
        for rule in cls.rules:
            if not rule.is_kept(data):
                where = (*location, rule.at) if rule.at and rule.at in data else location
                yield Found(where, rule.message, "rule")
    for name, inner, value in _fields_of(cls, data):
        for model, part, where in _models_in(inner, value, (*location, name)):
            yield from _broken_rules(model, part, where)
    yield from _repeated_names(cls, data, location)


def _repeated_names(cls: type[BaseModel], data: Mapping[str, Any], location: Location) -> Iterator[Found]:
    """Items of a list that Kubernetes tells by a key which another one has."""
    for key, field in cls.model_fields.items():
        name = field.alias or key
        items = data.get(name)
        by = map_key_of(field)
        if by is None or not isinstance(items, list):
            continue
        seen: dict[Any, int] = {}
        for index, item in enumerate(items):
            said = item.get(by) if isinstance(item, Mapping) else None
            if isinstance(said, str) and seen.setdefault(said, index) != index:
                message = f"is there twice, {said!r} is item {seen[said]} already; remove one of them"
                yield Found((*location, name, index, by), message)


def map_key_of(field: FieldInfo) -> str | None:
    """The field that tells the items of a list apart, if there is one."""
    extra = field.json_schema_extra
    for part in (extra, *(getattr(annotation, "json_schema_extra", None) for annotation in _annotations(field))):
        if isinstance(part, dict) and isinstance(keys := part.get("x-kubernetes-list-map-keys"), list):
            return str(keys[0])
    return None


def _annotations(field: FieldInfo) -> Iterator[Any]:
    for part in get_args(field.annotation):
        yield from getattr(part, "__metadata__", ())


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


def _paths_of(cls: type[BaseModel], name: str, location: Location = ()) -> Iterator[Location]:
    """Where else in a manifest there is a field of that name, outside of lists: the parts that have it."""
    for key, field in cls.model_fields.items():
        alias = field.alias or key
        model, is_list = unwrap(field.annotation)
        if model is None or is_list or alias in ("status", "metadata"):
            continue
        inside = (*location, alias)
        if any((part.alias or other) == name for other, part in model.model_fields.items()):
            yield inside
        yield from _paths_of(model, name, inside)
