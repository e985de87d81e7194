"""What docstrings say of a model and its fields, for the CRDs and the reference pages."""

from __future__ import annotations

import inspect
import re
from typing import Final

from pydantic import BaseModel

_ATTRIBUTES: Final = re.compile(r"^Attributes:\n((?:    .*\n?|\n)+)", re.MULTILINE)
_FIELD: Final = re.compile(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)


def describe_model(cls: type[BaseModel]) -> str:
    """What it is: the docstring without the fields."""
    text = inspect.cleandoc(cls.__doc__ or "")
    return _flat(_ATTRIBUTES.sub("", text))


def describe_fields(cls: type[BaseModel]) -> dict[str, str]:
    """What each field is, under its name in Python; inherited fields included."""
    fields: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        found = _ATTRIBUTES.search(inspect.cleandoc(base.__doc__ or "") + "\n")
        if found and issubclass(base, BaseModel):
            fields |= {name: _sentence(text) for name, text in _FIELD.findall(found[1])}
    return {name: text for name, text in fields.items() if name in cls.model_fields}


def _sentence(text: str) -> str:
    flat = _flat(text)
    return flat[:1].upper() + flat[1:]


def _flat(text: str) -> str:
    return " ".join(text.replace("``", "`").split())
