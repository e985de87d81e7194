"""What holds between the fields of a manifest, said once for both who check it: Python here, CEL in the API server.

A rule looks at the manifest as it is written (camelCase), so that both see the same: a field is there when it was
given. A message says what is wrong and the remedy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Wire = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """One condition on the fields of a model.

    Attributes:
        cel: the condition for the API server; ``self`` is the object.
        holds: the same for Python.
        message: what is wrong, and the remedy.
        at: the field that the message is about, as written; None means the object.
    """

    cel: str
    holds: Callable[[Wire], bool]
    message: str
    at: str | None = None

    def is_kept(self, data: Wire) -> bool:
        """Whether it holds. What has the wrong type is not a rule's affair; the type's own error says so."""
        try:
            return self.holds(data)
        except (TypeError, AttributeError, ValueError, KeyError):
            return True


def is_given(data: Any, *path: str) -> bool:
    """Whether a field is there; a path leads into what is nested."""
    for name in path:
        if not isinstance(data, Mapping) or data.get(name) is None:
            return False
        data = data[name]
    return True


def exactly_one(*fields: str, message: str | None = None) -> Rule:
    """One of the fields, and only one."""
    given = ", ".join(f"has(self.{field})" for field in fields)
    return Rule(
        cel=f"[{given}].filter(given, given).size() == 1",
        holds=lambda data: sum(is_given(data, field) for field in fields) == 1,
        message=message or f"give exactly one of {_listed(fields)}",
    )


def at_most_one(*fields: str, message: str | None = None) -> Rule:
    """One of the fields, or none."""
    given = ", ".join(f"has(self.{field})" for field in fields)
    return Rule(
        cel=f"[{given}].filter(given, given).size() <= 1",
        holds=lambda data: sum(is_given(data, field) for field in fields) <= 1,
        message=message or f"give only one of {_listed(fields)}",
    )


def at_least_one(*fields: str, message: str | None = None) -> Rule:
    """One of the fields, or several."""
    return Rule(
        cel=" || ".join(f"has(self.{field})" for field in fields),
        holds=lambda data: any(is_given(data, field) for field in fields),
        message=message or f"give at least one of {_listed(fields)}",
    )


def needs(field: str, other: str, *, message: str | None = None) -> Rule:
    """The field makes sense only together with another one."""
    return Rule(
        cel=f"!has(self.{field}) || has(self.{other})",
        holds=lambda data: not is_given(data, field) or is_given(data, other),
        message=message or f"{field} has no effect without {other}; give {other} too, or leave {field} out",
        at=field,
    )


def in_clusters(cel: str, message: str) -> Rule:
    """A condition for the API server alone; on a laptop there is no need for it."""
    return Rule(cel=cel, holds=lambda _: True, message=message)


def _listed(fields: tuple[str, ...]) -> str:
    return ", ".join(fields[:-1]) + f" and {fields[-1]}"
