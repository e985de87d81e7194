"""The command `rojak`.

`rojak --help` has to be instant, so nothing here imports more than typer: each command is a module of its own that is
imported when the command runs (`rojak.cli.app`). A command raises what is wrong; `main` is the one place that prints
errors and chooses exit codes: 0 done, 1 it failed, 2 it was called wrongly, 130 it was interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the entry point of `rojak`.

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
