"""``rojak init``: a project to begin with."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final

import typer

from rojak.cli.app import command_app
from rojak.cli.errors import CommandError

app = command_app()

_FILES: Final = ("agent.yaml", "tools.py", "test_agent.py", "pyproject.toml")


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="Where to write it; made if it is not there.")]) -> None:
    """Write a project to begin with: an agent, its functions, a test.

    Overwrites nothing.
    """
    if folder.exists() and not folder.is_dir():
        raise CommandError(f"{folder} is a file; name a folder")
    there = [name for name in _FILES if (folder / name).exists()]
    if there:
        raise CommandError(f"{folder} has {', '.join(there)} already, and nothing is overwritten; name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    starter = files("rojak.cli") / "starter"
    for name in _FILES:
        (folder / name).write_text((starter / name).read_text(encoding="utf-8"), encoding="utf-8")
        typer.echo(f"wrote {folder / name}")
    typer.echo(f"\nNext:\n  cd {folder}\n  rojak validate -f .\n  pytest")
