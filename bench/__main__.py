"""``python -m bench``: measure, and print the table of docs/performance.md."""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from types import ModuleType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.cases import alone, bursts, long_session, mcp, recovery, sessions, starts, sub_agents, waiting
from bench.figures import Figures, Metric, Result, verdict
from bench.lab import Lab, Plan
from bench.processes import byte_code_cache
from rojak.dev.binary import find_binary

CASES: dict[str, ModuleType] = {
    "bursts": bursts,
    "alone": alone,
    "sessions": sessions,
    "waiting": waiting,
    "sub_agents": sub_agents,
    "mcp": mcp,
    "starts": starts,
    "recovery": recovery,
    "long": long_session,
}
_VERSIONS = ("temporalio", "openai", "pydantic")


def main() -> int:
    """Measure what the command line asks for.

    Returns:
        0, also where a target is missed: the machine may be busy. 1 if a case failed.
    """
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, no long session: about two minutes")
    parser.add_argument("--only", nargs="+", choices=CASES, metavar="CASE", help=f"of: {', '.join(CASES)}")
    parser.add_argument("--reps", type=int, help="repetitions of each side (3, or 1 with --quick)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there too")
    given = parser.parse_args()
    chosen = given.only or [name for name in CASES if not (given.quick and name == "long")]
    plan = Plan(reps=given.reps or (1 if given.quick else 3), quick=given.quick)
    console = Console()
    figures: dict[str, Figures] = {}
    failed = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with byte_code_cache(), Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=len(chosen))
        for name in chosen:
            began = time.monotonic()
            try:
                figures[name] = asyncio.run(_measure(name, plan, lambda text: progress.update(bar, description=text)))
            # One case that fails must not cost the figures of the others.
            except Exception as error:  # noqa: BLE001 - reported below, and the exit code says so
                failed.append(f"{name}: {type(error).__name__}: {error}")
            progress.advance(bar)
            if not console.is_terminal:
                print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    console.print(_table(figures))
    console.print(_surroundings())
    for complaint in failed:
        console.print(f"[bold red]failed:[/] {complaint}", markup=True)
    if given.json:
        given.json.write_text(json.dumps(_samples(figures), indent=1) + "\n")
    return 1 if failed else 0


async def _measure(name: str, plan: Plan, on_step: object) -> Figures:
    figures = Figures()
    async with Lab(plan, on_step) as lab:  # type: ignore[arg-type]  # a callback of the progress bar
        await CASES[name].measure(lab, figures)
    return figures


def _table(figures: dict[str, Figures]) -> Table:
    table = Table(title="Rojak beside the floor: a bare Temporal workflow that makes the same calls")
    for heading in ("", "floor", "Rojak", "ratio", "target", ""):
        table.add_column(heading, justify="left" if heading == "" else "right", overflow="fold")
    for name, measured in figures.items():
        for metric in CASES[name].METRICS:
            result = measured.result(metric.key)
            if result.ours is not None or result.floor is not None:
                table.add_row(*_row(metric, result))
        table.add_section()
    return table


def _row(metric: Metric, result: Result) -> list[str]:
    def shown(value: float | None) -> str:
        return "-" if value is None else f"{value:,.{metric.digits}f} {metric.unit}".strip()

    reached = verdict(metric, result)
    word = {True: "[green]ok[/]", False: "[bold red]MISS[/]", None: ""}[reached]
    ratio = "" if result.ratio is None else f"{result.ratio:.2f}"
    if result.middle is not None:
        ratio += " ({:.2f} to {:.2f})".format(*result.middle)
    return [
        metric.label,
        shown(result.floor),
        shown(result.ours),
        ratio,
        metric.target.text if metric.target else "",
        word,
    ]


def _surroundings() -> str:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _VERSIONS)
    server = subprocess.run([find_binary(), "--version"], capture_output=True, text=True).stdout.strip()
    load = f"load {os.getloadavg()[0]:.0f} at the end"
    return f"{date.today()}, {os.cpu_count()} cores, {load}, Python {platform.python_version()}, {versions}, {server}"


def _samples(figures: dict[str, Figures]) -> dict[str, dict[str, list[float]]]:
    return {
        name: {f"{key} {side}": values for (key, side), values in measured.samples.items()}
        for name, measured in figures.items()
    }


if __name__ == "__main__":
    sys.exit(main())
