"""Finds Helm: on PATH, in a cache, or by building it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from dev.gobuild import build_program, cache_folder, find_go, is_program, locked

VERSION = "3.20.2"
#: The Kubernetes that Helm was built for: what it renders for when it talks to no cluster.
_KUBERNETES_MINOR = "35"
#: Major versions of Helm whose rendering is what the chart was written for.
_MAJORS = (3, 4)


class HelmError(Exception):
    """Helm refused; the message is what it said."""


class Helm:
    """The program.

    Args:
        path: of it.
        kubeconfig: of the cluster that it talks to; without one it can lint and render.
    """

    def __init__(self, path: Path, kubeconfig: Path | None = None) -> None:
        self.path = path
        self._kubeconfig = kubeconfig

    def for_cluster(self, kubeconfig: Path) -> Helm:
        """The same program, for a cluster."""
        return Helm(self.path, kubeconfig)

    def __call__(self, *arguments: str, timeout: float = 120) -> str:
        """What it says.

        Raises:
            HelmError: it failed.
        """
        environment = dict(os.environ)
        environment.pop("KUBECONFIG", None)
        # Neither the plugins nor the repositories of whoever runs this count.
        environment |= {"HELM_PLUGINS": os.devnull, "HELM_REPOSITORY_CONFIG": os.devnull}
        if self._kubeconfig is not None:
            environment["KUBECONFIG"] = str(self._kubeconfig)
        result = subprocess.run(
            [str(self.path), *arguments], capture_output=True, text=True, check=False, timeout=timeout, env=environment
        )
        if result.returncode:
            raise HelmError(f"{result.stdout}{result.stderr}".strip())
        return result.stdout


def find_helm(environment: Mapping[str, str] = os.environ) -> Helm:
    """Helm; built first if need be, which says so on stderr and takes a minute or two, once for a machine.

    Raises:
        BuildError: it had to be built, and that failed.
    """
    if (found := shutil.which("helm", path=environment.get("PATH"))) and _major_of(found) in _MAJORS:
        return Helm(Path(found))
    folder = cache_folder(f"helm-{VERSION}", environment)
    program = folder / "helm"
    if not is_program(program):
        with locked(folder):
            # Somebody else may have built it while this process waited.
            if not is_program(program):
                _build(folder)
    return Helm(program)


def _build(folder: Path) -> None:
    module = "helm.sh/helm/v3"
    versions = " ".join(
        f"-X {module}/pkg/{package}.k8sVersionMajor=1 -X {module}/pkg/{package}.k8sVersionMinor={_KUBERNETES_MINOR}"
        for package in ("chartutil", "lint/rules")
    )
    build_program(
        find_go(folder.parent), folder, "helm", title=f"Helm {VERSION}",
        module=Path(__file__).parent / "gomod", package=f"{module}/cmd/helm",
        link=f"-X {module}/internal/version.version=v{VERSION} {versions}",
    )  # fmt: skip


def _major_of(helm: str) -> int | None:
    said = subprocess.run([helm, "version", "--short"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.", said)
    return int(found[1]) if found else None
