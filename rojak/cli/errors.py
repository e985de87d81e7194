"""What the command line says when something goes wrong: what is wrong and the remedy, in one line."""

from __future__ import annotations

import os


class CommandError(Exception):
    """A command cannot do what it was asked for. The message says why, and the remedy."""


def describe(error: BaseException) -> str:
    """The error for a person."""
    # Here, not above: it takes pydantic along, which `rojak --help` need not wait for.
    from rojak.types.errors import RojakError

    if isinstance(error, RojakError | CommandError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    text = " ".join(str(error).split())
    name = type(error).__name__
    return f"{name}: {text} (this was not expected; rojak --debug ... shows where it comes from)" if text else name


def missing_extra(error: ImportError, extra: str) -> Exception:
    """The error for a package that is not installed; the error as it is, if it is ours that has a mistake."""
    package = (error.name or "").split(".")[0]
    if package in ("", "rojak") or os.environ.get("ROJAK_DEBUG"):
        return error
    return CommandError(f"this command needs the package {package!r}: pip install 'rojak[{extra}]'")
