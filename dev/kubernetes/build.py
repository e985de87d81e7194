"""Builds the programs of a control plane from source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dev.gobuild import BuildError, build_program, find_go, is_program, locked

_MODULES = Path(__file__).parent / "gomods"


def build(folder: Path, version: str, names: Sequence[str]) -> None:
    """Build what is missing in ``folder``. Two processes that want it at once wait for one build.

    Raises:
        BuildError: there is no Go and none could be installed, or a build failed.
    """
    with locked(folder):
        missing = [name for name in names if not is_program(folder / name)]
        if not missing:
            return
        go = find_go(folder.parent)
        for name in missing:
            _build_one(go, folder, version, name)


def _build_one(go: str, folder: Path, version: str, name: str) -> None:
    if name == "etcd":
        build_program(go, folder, name, title=name, module=_MODULES / "etcd", package=".", link="")
        return
    major, minor, _ = version.split(".")
    base = "-X k8s.io/component-base/version."
    link = f"{base}gitVersion=v{version} {base}gitMajor={major} {base}gitMinor={minor}"
    build_program(
        go, folder, name, title=f"{name} {version}", module=_MODULES / "kubernetes",
        package=f"k8s.io/kubernetes/cmd/{name}",
        link=f"{link} -X k8s.io/client-go/pkg/version.gitVersion=v{version}",
    )  # fmt: skip


__all__ = ["BuildError", "build"]
