"""``rojak validate``: are the manifests fit for use?"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from rojak.cli.app import command_app
from rojak.cli.output import Format, OutputOption, print_data
from rojak.manifests import Bundle, check_references, read, read_text

app = command_app()


@app.command()
def validate(
    files: Annotated[
        list[str], typer.Option("--filename", "-f", help="File or folder with manifests, or - for standard input.")
    ],
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Namespace of objects that do not say.")
    ] = "default",
    strict: Annotated[bool, typer.Option("--strict", help="Treat warnings as errors.")] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Check manifests: their schema, and what they refer to.

    Exits with 1 if they cannot be used.
    """
    bundle = _read(files, namespace)
    check_references(bundle)
    failed = bool(bundle.problems if strict else bundle.errors)
    if output is Format.TABLE:
        for problem in bundle.problems:
            print(problem, file=sys.stderr)
        typer.echo(_summary(bundle))
    else:
        problems = [problem.to_dict() for problem in bundle.problems]
        objects = [f"{type(item).__name__}/{item.namespace}/{item.name}" for item in bundle.resources]
        print_data({"valid": not failed, "objects": objects, "problems": problems}, output)
    if failed:
        raise typer.Exit(1)


def _read(files: list[str], namespace: str) -> Bundle:
    if files == ["-"]:
        return read_text(sys.stdin.read(), file="<stdin>", namespace=namespace)
    return read([Path(file) for file in files], namespace=namespace)


def _summary(bundle: Bundle) -> str:
    kinds = Counter(type(resource).__name__ for resource in bundle.resources)
    found = ", ".join(_counted(count, kind) for kind, count in sorted(kinds.items()))
    errors = len(bundle.errors)
    wrong = [_counted(errors, "error"), _counted(len(bundle.problems) - errors, "warning")]
    return f"{found or 'no valid objects'}: {' and '.join(filter(None, wrong)) or 'all valid'}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count > 1 else ''}" if count else ""
