"""`typing.TypedDict` on Python 3.11, where pydantic takes the one of typing_extensions only.

Users write the standard library's, so it is translated where a function's annotation holds one. From Python
3.12 on the two are the same to pydantic, and nothing is done. One inside of a dataclass or a model is left to
pydantic, whose error names the remedy.
"""

from __future__ import annotations

import sys
import typing
from types import UnionType
from typing import Annotated, Any, Literal, NotRequired, Required, Union, cast, get_args, get_origin

import typing_extensions


def translate_typed_dicts(annotation: Any) -> Any:
    """The annotation with every `typing.TypedDict` in it as pydantic takes it in this version of Python."""
    return annotation if sys.version_info >= (3, 12) else _translate(annotation, ())


def _translate(annotation: Any, within: tuple[Any, ...]) -> Any:
    if typing.is_typeddict(annotation):
        # Of one that contains itself the inner mention stays, and pydantic tells what to do.
        known = type(annotation).__module__ != "typing" or annotation in within
        return annotation if known else _copy(annotation, (*within, annotation))
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal or not arguments:
        return annotation
    translated = tuple(_translate(argument, within) for argument in arguments)
    if all(new is old for new, old in zip(translated, arguments, strict=True)):
        return annotation
    if origin in (Union, UnionType):
        return Union[translated]  # noqa: UP007 - the members are known at run time only
    return Annotated[translated] if origin is Annotated else cast(Any, origin)[translated]


def _copy(typed_dict: Any, within: tuple[Any, ...]) -> Any:
    fields = {}
    for key, hint in typing.get_type_hints(typed_dict, include_extras=True).items():
        translated = _translate(hint, within)
        if key in typed_dict.__optional_keys__ and get_origin(hint) not in (Required, NotRequired):
            translated = NotRequired[translated]
        fields[key] = translated
    copy = cast(Any, typing_extensions.TypedDict)(typed_dict.__name__, fields)
    copy.__doc__, copy.__module__, copy.__qualname__ = (
        typed_dict.__doc__,
        typed_dict.__module__,
        typed_dict.__qualname__,
    )
    if config := getattr(typed_dict, "__pydantic_config__", None):
        copy.__pydantic_config__ = config
    return copy
