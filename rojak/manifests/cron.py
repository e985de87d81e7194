"""Times as cron and calendars write them, read as Temporal reads them, to find what is wrong before Temporal does.

Five fields are minute, hour, day of month, month, day of week; a sixth is the year, and with seven the first is the
second. A time matches if *all* fields do: Temporal does not have the exception that other crons make for days.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

_MONTHS: Final = {name: number for number, name in enumerate(calendar.month_abbr) if number}
_DAYS: Final = {name: number for number, name in enumerate(("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"))}
_SHORTHANDS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_LAST_YEAR: Final = 2100
#: Name in a calendar, smallest and largest value, names of values.
_FIELDS: Final[tuple[tuple[str, int, int, dict[str, int]], ...]] = (
    ("second", 0, 59, {}),
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("dayOfMonth", 1, 31, {}),
    ("month", 1, 12, _MONTHS),
    ("dayOfWeek", 0, 7, _DAYS),
    ("year", 2000, _LAST_YEAR, {}),
)
_DEFAULTS: Final = {"second": "0", "minute": "0", "hour": "0"}


@dataclass(frozen=True, slots=True)
class Times:
    """The days and times that match; each field is the set of its values."""

    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    years: frozenset[int]

    def ever_between(self, start: date, end: date | None) -> bool:
        """Whether a day of these matches."""
        years = (year for year in sorted(self.years) if start.year <= year <= (end.year if end else _LAST_YEAR))
        return any(start <= day and (end is None or day <= end) for year in years for day in self._days(year))

    def _days(self, year: int) -> list[date]:
        return [
            day
            for month in self.months
            for number in self.days
            if number <= calendar.monthrange(year, month)[1]
            and (day := date(year, month, number)).isoweekday() % 7 in self.weekdays
        ]


def parse_cron(text: str) -> Times:
    """Read a cron specification.

    Raises:
        ValueError: it is not one; says why and the remedy.
    """
    words = text.split("#")[0].split()
    if not words:
        raise ValueError("is empty; write five fields: minute, hour, day of month, month, day of week")
    if words[0].startswith(("CRON_TZ=", "TZ=")):
        raise ValueError(f"names a time zone; write it as timeZone: {words[0].split('=', 1)[1]} instead")
    if words[0] == "@every":
        raise ValueError(f"is an interval; write it as interval: {{every: {' '.join(words[1:]) or '1h'}}} instead")
    if words[0].startswith("@"):
        if len(words) > 1 or words[0].lower() not in _SHORTHANDS:
            raise ValueError(f"is no shorthand; there are {', '.join(_SHORTHANDS)}")
        words = _SHORTHANDS[words[0].lower()].split()
    if not 5 <= len(words) <= 7:
        raise ValueError(
            f"has {len(words)} fields; write five: minute, hour, day of month, month, day of week"
            " (or six with the year at the end, or seven with the second at the beginning)"
        )
    names = ["minute", "hour", "dayOfMonth", "month", "dayOfWeek", "year"]
    if len(words) == 7:
        names.insert(0, "second")
    return parse_calendar(dict(zip(names, words, strict=False)))


def parse_calendar(fields: Mapping[str, Any]) -> Times:
    """Read a calendar.

    Args:
        fields: under their names in a manifest; what is left out has its default.

    Raises:
        ValueError: a field is wrong; says which, why and the remedy.
    """
    values = {}
    for name, low, high, names in _FIELDS:
        text = str(fields.get(name, _DEFAULTS.get(name, "*")))
        try:
            values[name] = frozenset(number for part in text.split(",") for number in _range(part, low, high, names))
        except ValueError as error:
            raise ValueError(f"{name} {text!r}: {error}") from None
    weekdays = frozenset(day % 7 for day in values["dayOfWeek"])
    return Times(values["dayOfMonth"], values["month"], weekdays, values["year"])


def _range(part: str, low: int, high: int, names: Mapping[str, int]) -> range:
    span, _, step = part.partition("/")
    first, dash, last = span.partition("-")
    if step and not (step.isdigit() and int(step) > 0):
        raise ValueError(f"the step {step!r} is not a number above 0")
    if span == "*":
        return range(low, high + 1, int(step or 1))
    start = _number(first, low, high, names)
    end = _number(last, low, high, names) if dash else (high if step else start)
    if end < start:
        raise ValueError(f"{span} ends before it begins; write two ranges, as in {first}-{high},{low}-{last}")
    return range(start, end + 1, int(step or 1))


def _number(text: str, low: int, high: int, names: Mapping[str, int]) -> int:
    number = names.get(text.capitalize()) if not text.isdigit() else int(text)
    if number is None:
        known = f", or one of {', '.join(names)}" if names else ""
        raise ValueError(f"{text!r} is not a number from {low} to {high}{known}")
    if not low <= number <= high:
        raise ValueError(f"{number} is not between {low} and {high}")
    return number


def ever_fires(times: Times, start: datetime | None, end: datetime | None, now: datetime) -> bool:
    """Whether there is still a day that matches."""
    first = max(start, now) if start else now
    return times.ever_between(first.date(), end.date() if end else None)
