"""Says when files changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Final

from watchfiles import Change, awatch

#: Milliseconds that files have to be still before they are read: editors write in several steps.
_STILL: Final = 40
#: Milliseconds until the watch of files says that there is nothing to say.
_TIMEOUT: Final = 300
_SUFFIXES: Final = (".yaml", ".yml", ".py", ".md", ".txt", ".env")


async def changes_of(watched: Iterable[Path]) -> AsyncIterator[None]:
    """Each time that something changed which can matter.

    Args:
        watched: files and folders.
    """

    def matters(change: Change, name: str) -> bool:
        path = Path(name)
        return path.suffix in _SUFFIXES and not any(part.startswith(".") for part in path.parts[-1:])

    # Of a file its folder is watched: editors replace files, and a watch of the old one would see nothing more.
    folders = {path if path.is_dir() else path.parent for path in watched}
    is_first = True
    async for found in awatch(
        *folders,
        watch_filter=matters,
        debounce=400,
        step=_STILL,
        rust_timeout=_TIMEOUT,
        yield_on_timeout=True,
        raise_interrupt=False,
    ):
        # Now they are watched; what changed since they were read first was not seen.
        if found or is_first:
            yield
        is_first = False
