"""The code that workers and MCP servers run: another one is another process."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

#: Python files beside manifests that no worker imports.
_NO_FUNCTIONS: Final = re.compile(r"model_script\.py|test_.*\.py|conftest\.py")
_SKIPPED: Final = frozenset({"node_modules", "__pycache__", "venv", "site-packages"})


def python_files(folders: Iterable[str]) -> Iterator[Path]:
    """Files of these folders, and of those in them, that a worker may import."""
    for folder in folders:
        yield from _walk(Path(folder))


def _walk(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.name in _SKIPPED:
            continue
        if entry.is_dir():
            yield from _walk(entry)
        elif entry.suffix == ".py" and not _NO_FUNCTIONS.fullmatch(entry.name):
            yield entry


def code_named_by(command: Iterable[str]) -> Iterator[Path]:
    """Files that a command names, such as a script: another one is another server."""
    return (Path(word) for word in list(command)[1:] if is_file(Path(word)))


def is_file(path: Path) -> bool:
    """Whether there is such a file; what cannot be a path is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def digest_of(files: Iterable[Path]) -> str:
    """Tells their content from another one."""
    digest: Any = hashlib.sha256()
    for file in files:
        try:
            content = file.read_bytes()
        except OSError:
            continue
        digest.update(f"{file}\0{len(content)}\0".encode())
        digest.update(content)
    return str(digest.hexdigest()[:16])
