"""How commands print: a table for people, JSON or YAML for programs; no colours and no boxes without a terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

Row = Mapping[str, Any]


class Format(StrEnum):
    """What ``-o`` takes."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


#: The option ``-o`` of a command: ``output: OutputOption = Format.TABLE``.
OutputOption = Annotated[Format, typer.Option("--output", "-o", help="How to print.", show_default=True)]


def is_interactive() -> bool:
    """Whether a person sits at both ends: only then may a command ask, animate or colour."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def console(*, stderr: bool = False) -> Console:
    """Where to print for people. Plain text when it is no terminal, or when NO_COLOR is set."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 10_000
    return Console(file=stream, width=width, highlight=False, soft_wrap=not stream.isatty())


def print_data(data: Any, output: Format) -> None:
    """Print plain data as JSON or YAML."""
    if output is Format.YAML:
        import yaml

        typer.echo(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), nl=False)
    else:
        typer.echo(json.dumps(data, indent=2, ensure_ascii=False, default=str))


def print_rows(
    rows: Sequence[Row],
    columns: Mapping[str, str | Callable[[Row], Any]],
    output: Format,
    *,
    empty: str = "nothing found",
) -> None:
    """Print a list.

    Args:
        rows: as programs get them.
        columns: of the table for people: the heading, and the key of its values or a function that makes them.
        output: how to print.
        empty: said to people instead of a table without rows.
    """
    if output is not Format.TABLE:
        print_data([dict(row) for row in rows], output)
    elif rows:
        cells = [[_cell(row.get(of) if isinstance(of, str) else of(row)) for of in columns.values()] for row in rows]
        _print_table(list(columns), cells)
    else:
        print(empty, file=sys.stderr)


def _cell(value: Any) -> str:
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(map(str, value)) or "-"
    return " ".join(str(value).split())


def _print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if sys.stdout.isatty():
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in headings:
            table.add_column(heading.upper(), overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))
        console().print(table)
        return
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    for row in [[heading.upper() for heading in headings], *rows]:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
