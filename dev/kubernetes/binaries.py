"""Finds kube-apiserver, etcd and kubectl, or builds them.

In this order: the folder in KUBEBUILDER_ASSETS (envtest's name for it), a cache, a build from source. The build goes
through the Go module proxy, because release archives and container registries are not reachable everywhere; it takes
minutes, once for a machine and version.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dev import gobuild
from dev.gobuild import is_program
from dev.kubernetes.build import build

VERSION = "1.35.4"
#: Environment variable that names a folder which holds the three programs.
ASSETS_VARIABLE = "KUBEBUILDER_ASSETS"
NAMES = ("kube-apiserver", "etcd", "kubectl")


class MissingBinaryError(Exception):
    """A folder that was named lacks a program."""


@dataclass(frozen=True)
class Binaries:
    """Where the programs are."""

    folder: Path

    @property
    def apiserver(self) -> Path:
        return self.folder / "kube-apiserver"

    @property
    def etcd(self) -> Path:
        return self.folder / "etcd"

    @property
    def kubectl(self) -> Path:
        return self.folder / "kubectl"


def find_binaries(environment: Mapping[str, str] = os.environ) -> Binaries:
    """The programs; built first if need be, which says so on stderr.

    Raises:
        MissingBinaryError: KUBEBUILDER_ASSETS is set, and the folder lacks one of them.
        BuildError: they had to be built, and that failed.
    """
    if assets := environment.get(ASSETS_VARIABLE):
        folder = Path(assets).expanduser()
        if missing := [name for name in NAMES if not is_program(folder / name)]:
            raise MissingBinaryError(
                f"{ASSETS_VARIABLE} is {folder}, which lacks {', '.join(missing)}; unset it to have them built"
            )
        return Binaries(folder)
    folder = cache_folder(environment)
    if not all(is_program(folder / name) for name in NAMES):
        build(folder, VERSION, NAMES)
    return Binaries(folder)


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where programs that were built are kept."""
    return gobuild.cache_folder(f"kube-{VERSION}", environment)
