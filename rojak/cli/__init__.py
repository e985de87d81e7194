"""The command `rojak`.

`rojak --help` has to be instant, so nothing here imports more than typer: each command is a module of its own that is
imported when the command runs (`rojak.cli.app`). A command raises what is wrong; `main` is the one place that prints
errors and chooses exit codes (`rojak.cli.errors`).
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: of the command; those of the process when left out.

    Returns:
        The exit code.
    """
    try:
        import typer  # noqa: F401 - to see whether it is there
    except ImportError:
        print("error: the command line is not installed: pip install 'rojak[cli]'", file=sys.stderr)
        return 1
    from rojak.cli.app import run

    return run(list(sys.argv[1:] if arguments is None else arguments))


def script() -> NoReturn:
    """What the script `rojak` is: run the command line and end the process."""
    code = main()
    if "temporalio" not in sys.modules:
        sys.exit(code)
    # Threads of the SDK may still call into Python, and an interpreter that is being taken down dies of that.
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(code)
