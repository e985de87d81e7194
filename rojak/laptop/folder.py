"""A folder for files that last as long as `rojak dev`, however that ends.

Who has such a folder holds a lock of it. The system lets go of the lock when the process ends, also when it is killed,
and the next `rojak dev` removes the folders that nobody holds. A lock, unlike the number of a process, says the same in
every container that shares the folder of temporary files, and is never another process's.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PREFIX: Final = "rojak-laptop-"


@contextlib.contextmanager
def own_folder() -> Iterator[Path]:
    """A folder of this process, gone after the block; also removes those of processes that were killed."""
    _remove_left()
    folder, lock = _make()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _make() -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        # Somebody who cleans up may have found it before it was locked: then there is another one.
        if (lock := _lock(folder)) is not None:
            return folder, lock


def _remove_left() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if (lock := _lock(folder)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """The lock of a folder of ours, to be closed; None if somebody holds it, or there is no such folder."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        if os.fstat(lock).st_uid == os.getuid():
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # It may have been removed between the two.
            if os.path.samestat(os.fstat(lock), folder.stat()):
                return lock
    except OSError:
        pass
    os.close(lock)
    return None
