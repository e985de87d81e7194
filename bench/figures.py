"""Figures of both sides, their medians and ratios, and whether they meet the targets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median, quantiles

from bench.sides import SideName

_ENOUGH_FOR_QUARTILES = 4


@dataclass(frozen=True)
class Result:
    """A metric measured: medians, and the median ratio of ours to the floor of the same repetition or round.

    ``middle`` is where the middle half of the ratios is, which says how far to trust their median; None if there are
    less than four.
    """

    floor: float | None
    ours: float | None
    ratio: float | None
    middle: tuple[float, float] | None = None


@dataclass(frozen=True)
class Target:
    """What is to be reached; ``reached`` gets a result that has ours, and the floor where it is needed."""

    text: str
    reached: Callable[[Result], bool]
    needs_floor: bool = False


def at_most(limit: float) -> Target:
    """An absolute limit."""
    return Target(f"<= {limit:g}", lambda result: result.ours is not None and result.ours <= limit)


def ratio_at_least(limit: float) -> Target:
    """A limit relative to the floor."""
    return Target(f">= {limit:g} x floor", lambda r: r.ratio is not None and r.ratio >= limit, needs_floor=True)


def ratio_at_most(limit: float) -> Target:
    """A limit relative to the floor."""
    return Target(f"<= {limit:g} x floor", lambda r: r.ratio is not None and r.ratio <= limit, needs_floor=True)


def at_most_above_floor(extra: float) -> Target:
    """A limit that the floor sets."""
    return Target(
        f"<= floor + {extra:g}",
        lambda r: r.ours is not None and r.floor is not None and r.ours <= r.floor + extra,
        needs_floor=True,
    )


@dataclass(frozen=True)
class Metric:
    """One row of the table. ``key`` names it in the JSON file."""

    key: str
    label: str
    unit: str = ""
    target: Target | None = None
    digits: int = 1


@dataclass
class Figures:
    """What was measured of one case."""

    samples: dict[tuple[str, SideName], list[float]] = field(default_factory=dict)

    def add(self, side: SideName, key: str, value: float) -> None:
        """Take a figure of one repetition or round. The n-th ones of both sides belong together."""
        self.samples.setdefault((key, side), []).append(value)

    def result(self, key: str) -> Result:
        """The metric over all repetitions."""
        floor, ours = self.samples.get((key, "floor")), self.samples.get((key, "ours"))
        ratio = middle = None
        if floor and ours:
            pairs = zip(ours, floor, strict=False)
            ratios = [mine / theirs for mine, theirs in pairs if theirs]
            ratio = median(ratios) if ratios else None
            if len(ratios) >= _ENOUGH_FOR_QUARTILES:
                low, _, high = quantiles(ratios, n=4, method="inclusive")
                middle = low, high
        return Result(median(floor) if floor else None, median(ours) if ours else None, ratio, middle)


def verdict(metric: Metric, result: Result) -> bool | None:
    """Whether the target is reached; None where there is none, or not what it takes to tell."""
    target = metric.target
    if target is None or result.ours is None or (target.needs_floor and result.floor is None):
        return None
    return target.reached(result)
