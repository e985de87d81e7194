"""A session's settings from what callers pass."""

from __future__ import annotations

import math
from typing import Any, Literal, TypedDict, Unpack

from rojak.session.task import Settings
from rojak.types.compaction import Compaction
from rojak.types.errors import ConfigurationError
from rojak.types.retry import LONGEST_SECONDS

#: Settings that count something; None stores that there is no limit.
_COUNTS = ("max_turns", "history_size", "max_tool_calls", "max_tokens_total")


class GivenSettings(TypedDict, total=False):
    """Settings as callers pass them; None, and what is left out, changes nothing, and infinity means no limit."""

    max_turns: float | None
    history_size: float | None
    debug: bool | None
    max_tool_calls: float | None
    max_tokens_total: float | None
    run_timeout: float | None
    compaction: Compaction | Literal[False] | None


def new_settings(**given: Unpack[GivenSettings]) -> Settings:
    """Settings of which only those are set that the caller gave.

    Raises:
        ConfigurationError: names the one that cannot be a limit.
    """
    fields: dict[str, Any] = {}
    limits: dict[str, Any] = {**given}
    for name in _COUNTS:
        count = limits.get(name)
        if count is not None:
            limit = _checked(name, count, "a count of 0 or more")
            if limit is not None and limit != int(limit):
                raise ConfigurationError(f"{name}={count!r}: give a whole number, or float('inf') for no limit")
            fields[name] = None if limit is None else int(limit)
    if (run_timeout := given.get("run_timeout")) is not None:
        fields["run_timeout"] = _checked("run_timeout", run_timeout, "seconds, more than 0")
        if run_timeout == 0:
            raise ConfigurationError("run_timeout=0: give seconds, more than 0, or float('inf') for no limit")
        if LONGEST_SECONDS < run_timeout < math.inf:
            raise ConfigurationError(f"run_timeout={run_timeout!r}: give at most ten years, or float('inf')")
    if (compaction := given.get("compaction")) is not None:
        if compaction is not False and not isinstance(compaction, Compaction):
            raise ConfigurationError(f"compaction={compaction!r}: give Compaction(trigger_messages=...), or False")
        fields["compaction"] = compaction or None
    if (debug := given.get("debug")) is not None:
        fields["debug"] = debug
    return Settings(**fields)


def _checked(name: str, given: Any, wanted: str) -> float | None:
    """The limit; None for infinity."""
    if isinstance(given, bool) or not isinstance(given, int | float) or math.isnan(given) or given < 0:
        raise ConfigurationError(f"{name}={given!r}: give {wanted}, or float('inf') for no limit")
    return None if math.isinf(given) else given
