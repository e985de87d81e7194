"""The file in which a development server keeps its data: one server at a time has it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rojak.types.errors import ConfigurationError

#: Seconds that a server which was told to end may still have the file; more than a process is given to end.
_PATIENCE: Final = 12.0


@contextlib.contextmanager
def lock_database(path: Path) -> Iterator[int]:
    """The descriptor of a lock of the file, for the server's process to inherit within the block.

    From then on the lock is the server's as long as it runs: also after whoever started it was killed, when it has some
    seconds left to end. Who starts the next one at once waits that long.

    Args:
        path: of the database.

    Raises:
        ConfigurationError: there is no such folder, or another server has the file and keeps it.
    """
    try:
        lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError:
        raise ConfigurationError(f"cannot keep data in {path}: there is no folder {path.parent}") from None
    except OSError as error:
        raise ConfigurationError(f"cannot keep data in {path}: {error.strerror}") from None
    try:
        if not _take(lock):
            raise ConfigurationError(
                f"another Temporal server keeps its data in {path}: end it, talk to it with --address, or name another"
                " place"
            )
        yield lock
    finally:
        os.close(lock)


def _take(lock: int) -> bool:
    if os.name != "posix":
        return True
    import fcntl

    give_up = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            if time.monotonic() > give_up:
                return False
        time.sleep(0.05)
