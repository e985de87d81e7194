"""A session's settings from what callers pass."""

from __future__ import annotations

import math
from typing import Any, Literal

from rojak.session.task import Settings
from rojak.types.compaction import Compaction
from rojak.types.errors import ConfigurationError
from rojak.types.retry import LONGEST_SECONDS

#: Settings that count something; None stores that there is no limit.
_COUNTS = ("max_turns", "history_size", "max_tool_calls", "max_tokens_total")


def new_settings(
    *,
    debug: bool | None = None,
    run_timeout: float | None = None,
    compaction: Compaction | Literal[False] | None = None,
    **counts: float | None,
) -> Settings:
    """Settings of which only those are set that the caller gave; infinity means no limit.

    Args:
        debug: whether the worker logs each step.
        run_timeout: in seconds.
        compaction: the policy; False for none.
        counts: ``max_turns``, ``history_size``, ``max_tool_calls`` and ``max_tokens_total``.

    Raises:
        ConfigurationError: names the one that cannot be a limit.
    """
    fields: dict[str, Any] = {}
    for name in _COUNTS:
        given = counts.get(name)
        if given is not None:
            limit = _checked(name, given, "a count of 0 or more")
            if limit is not None and limit != int(limit):
                raise ConfigurationError(f"{name}={given!r}: give a whole number, or float('inf') for no limit")
            fields[name] = None if limit is None else int(limit)
    if run_timeout is not None:
        fields["run_timeout"] = _checked("run_timeout", run_timeout, "seconds, more than 0")
        if run_timeout == 0:
            raise ConfigurationError("run_timeout=0: give seconds, more than 0, or float('inf') for no limit")
        if LONGEST_SECONDS < run_timeout < math.inf:
            raise ConfigurationError(f"run_timeout={run_timeout!r}: give at most ten years, or float('inf')")
    if compaction is not None:
        if compaction is not False and not isinstance(compaction, Compaction):
            raise ConfigurationError(f"compaction={compaction!r}: give Compaction(trigger_messages=...), or False")
        fields["compaction"] = compaction or None
    if debug is not None:
        fields["debug"] = debug
    return Settings(**fields)


def _checked(name: str, given: Any, wanted: str) -> float | None:
    """The limit; None for infinity."""
    if isinstance(given, bool) or not isinstance(given, int | float) or math.isnan(given) or given < 0:
        raise ConfigurationError(f"{name}={given!r}: give {wanted}, or float('inf') for no limit")
    return None if math.isinf(given) else given
