"""Fails if the lock files do not satisfy pyproject.toml: a dependency that was added has to be locked too."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Check the development lock."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = list(project["project"]["dependencies"])
    for requirements in project["project"]["optional-dependencies"].values():
        # Extras name each other as rojak[...]; what those need is in the list by itself.
        wanted += [requirement for requirement in requirements if not requirement.startswith("rojak[")]
    wanted += project["dependency-groups"]["test"]
    locked = dict(re.findall(r"^([\w.-]+)==([^ ;\\]+)", (ROOT / "requirements/dev.txt").read_text(), re.MULTILINE))
    complaints = []
    for requirement in map(Requirement, wanted):
        version = locked.get(requirement.name)
        if version is None or not requirement.specifier.contains(Version(version), prereleases=True):
            complaints.append(f"{requirement} is not satisfied by the lock (locked: {version}); run: make lock")
    print("\n".join(complaints) or f"{len(wanted)} requirements are locked")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
