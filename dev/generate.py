"""Writes the files of the repository that are made of code; with ``--check``, fails if one is not up to date."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from dev.helm import values
from rojak.manifests import generated

ROOT = Path(__file__).resolve().parents[1]
#: Each makes contents of files, by their paths in the repository.
GENERATORS: list[Callable[[], dict[str, str]]] = [generated.render_files, values.render_files]
#: Folders in which everything is made; what is there and is not made any more goes.
FOLDERS = ["crds", "docs/reference", "deploy/helm/rojak/templates/crds"]


def main(check: bool) -> int:
    """Write the files, or compare them."""
    wanted = {path: text for render in GENERATORS for path, text in render().items()}
    there = {str(path.relative_to(ROOT)) for folder in FOLDERS for path in (ROOT / folder).glob("*")}
    stale = [path for path, text in wanted.items() if not (ROOT / path).exists() or (ROOT / path).read_text() != text]
    left_over = sorted(there - set(wanted))
    if check:
        for path in [*stale, *left_over]:
            print(f"{path} is not up to date; run: make generate")
        print(f"{len(wanted)} generated files, {len(stale) + len(left_over)} out of date")
        return 1 if stale or left_over else 0
    for path in stale:
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(wanted[path])
        print(f"wrote {path}")
    for path in left_over:
        (ROOT / path).unlink()
        print(f"removed {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
