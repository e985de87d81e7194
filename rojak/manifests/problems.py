"""What is wrong with manifests: one message each, with the place, the field and the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from rojak.types.errors import ConfigurationError

#: The way to a part of a document: names of fields and indices of items.
Location = tuple[str | int, ...]


Severity = Literal["error", "warning"]


class Place(NamedTuple):
    """A place in a file; both count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        file: where.
        place: where in the file.
        message: what is wrong, and the remedy.
        object: whose affair it is, as ``Agent/triage``; empty if no object can be told.
        location: of the field.
        severity: a warning does not keep the manifests from being used.
    """

    file: str
    place: Place
    message: str
    object: str = ""
    location: Location = ()
    severity: Severity = "error"

    @property
    def path(self) -> str:
        """The field, as ``spec.tools[0].function``."""
        return path_of(self.location)

    def __str__(self) -> str:
        where = f"{self.file}:{self.place.line}:{self.place.column}"
        what = " ".join(part for part in (self.object, self.path) if part)
        kind = "warning: " if self.severity == "warning" else ""
        return ": ".join(part for part in (where, what, kind + self.message) if part)

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for programs."""
        return {
            "file": self.file,
            "line": self.place.line,
            "column": self.place.column,
            "object": self.object,
            "path": self.path,
            "severity": self.severity,
            "message": self.message,
        }


class ManifestError(ConfigurationError):
    """Manifests cannot be used.

    Attributes:
        problems: everything that is wrong with them.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def path_of(location: Location) -> str:
    """The location as a person writes it."""
    path = ""
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        elif step.replace("_", "").replace("-", "").isalnum():
            path += f".{step}" if path else step
        else:
            path += f"[{step!r}]"
    return path


def closest(said: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant; None if none is near."""
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(said.lower(), by_lower, n=1)
    return by_lower[close[0]] if close else None


def suggestion(said: Any, known: Iterable[str]) -> str:
    """``; did you mean 'x'?``, or nothing."""
    meant = closest(said, known) if isinstance(said, str) else None
    return f"; did you mean {meant!r}?" if meant else ""
