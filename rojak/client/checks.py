"""Arguments that are wrong whatever the session: refused before anything is sent."""

from __future__ import annotations

import math
from typing import Any

from rojak.types.errors import ConfigurationError

#: Characters that the server allows in the id of a workflow or of an update.
MAX_ID_LENGTH = 1000


def check_id(name: str, given: Any) -> str:
    """The id of a session or task.

    Raises:
        ConfigurationError: it is no text, or empty, or too long.
    """
    if isinstance(given, str) and 0 < len(given) <= MAX_ID_LENGTH:
        return given
    shown = f"{len(given)} characters" if isinstance(given, str) and given else repr(given)
    raise ConfigurationError(f"{name} is {shown}; give text of 1 to {MAX_ID_LENGTH} characters")


def check_timeout(given: Any) -> float | None:
    """Seconds to wait; None for no limit.

    Raises:
        ConfigurationError: it is no number of seconds.
    """
    if given is None or given == math.inf:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or not given > 0:
        raise ConfigurationError(f"timeout={given!r}: give seconds, more than 0, or None for no limit")
    return given


def check_instance(name: str, given: Any, wanted: type) -> None:
    """Refuse an argument of another type than the one that it has to be.

    Raises:
        ConfigurationError: names both types.
    """
    if not isinstance(given, wanted):
        raise ConfigurationError(f"{name} is a {type(given).__name__}; give {wanted.__name__}(...)")
