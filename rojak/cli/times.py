"""Times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def span(seconds: float) -> str:
    """A length of time in its largest two units: ``"2m5s"``, ``"3d"``."""
    rest, parts = int(max(seconds, 0)), []
    for size, unit in _UNITS:
        if rest >= size:
            parts.append(f"{rest // size}{unit}")
            rest %= size
        elif parts:
            break
    return "".join(parts[:2]) or "0s"


def ago(moment: datetime | None, now: datetime | None = None) -> str | None:
    """How long ago that was; None where it is not known."""
    return None if moment is None else span(((now or datetime.now(UTC)) - moment).total_seconds())


def until(moment: datetime | None, now: datetime | None = None) -> str | None:
    """In how long that will be; None if never."""
    if moment is None:
        return None
    left = (moment - (now or datetime.now(UTC))).total_seconds()
    return f"in {span(left)}" if left > 0 else "now"


def moment_of(seconds: float | None) -> datetime | None:
    """The moment of seconds since the epoch."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def iso(moment: datetime | None) -> str | None:
    """For programs."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
