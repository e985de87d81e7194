"""Builds container images, and runs programs in them as pods would: as nobody, with nothing to write but /tmp.

With Docker where its daemon answers, else with buildah, which needs none. ``python -m dev.image`` is ``make image``.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

ROOT: Final = Path(__file__).resolve().parents[1]
BASE: Final = "docker.io/library/python:3.12-slim"
NAME: Final = "docker.io/library/rojak:latest"
#: Of the image's own user.
USER: Final = 65532
#: Seconds that fetching the base image, and building ours, may take.
PULL_TIMEOUT: Final = 180
BUILD_TIMEOUT: Final = 1200


class ImageError(Exception):
    """There is nothing to build with or on, or a build failed; the message says which."""


class Builder(Protocol):
    """Something that builds and runs images."""

    def has(self, name: str) -> bool:
        """Whether the image is on this machine."""

    def pull(self, name: str) -> str:
        """Fetch an image; what went wrong, empty if nothing did."""

    def build(self, folder: Path, name: str) -> None:
        """Build the Dockerfile of a folder.

        Raises:
            ImageError: it failed.
        """

    def size(self, name: str) -> int:
        """Of an image, in bytes."""

    def remove(self, name: str) -> None:
        """Forget an image."""

    @contextmanager
    def program(
        self, name: str, *arguments: str, environment: Mapping[str, str], mounts: Mapping[Path, str]
    ) -> Iterator[list[str]]:
        """A command that runs the image's entry point on the host's network, with a read-only root and a /tmp.

        Args:
            mounts: folders that are there too, read-only, and where.
        """
        yield []


class Docker:
    """Docker, where its daemon answers."""

    def has(self, name: str) -> bool:
        return _call("docker", "image", "inspect", name).returncode == 0

    def pull(self, name: str) -> str:
        return _said(_call("docker", "pull", "-q", name, timeout=PULL_TIMEOUT))

    def build(self, folder: Path, name: str) -> None:
        _must(_call("docker", "build", "-q", "--network", "host", "-t", name, str(folder), timeout=BUILD_TIMEOUT))

    def size(self, name: str) -> int:
        return int(_must(_call("docker", "image", "inspect", "--format", "{{.Size}}", name)))

    def remove(self, name: str) -> None:
        _call("docker", "image", "rm", name)

    @contextmanager
    def program(
        self, name: str, *arguments: str, environment: Mapping[str, str], mounts: Mapping[Path, str]
    ) -> Iterator[list[str]]:
        command = ["docker", "run", "--rm", "--read-only", "--tmpfs", "/tmp", "--network", "host", "--cap-drop", "ALL"]
        command += ["--security-opt", "no-new-privileges"]
        command += [part for key, value in environment.items() for part in ("--env", f"{key}={value}")]
        command += [part for source, target in mounts.items() for part in ("--volume", f"{source}:{target}:ro")]
        yield [*command, name, *arguments]


class Buildah:
    """buildah, as root: it needs no daemon, and a namespace of mounts makes a read-only root."""

    _COMMAND = ("buildah", "--storage-driver", "overlay")

    def has(self, name: str) -> bool:
        return bool(_call(*self._COMMAND, "images", "-q", name).stdout.strip())

    def pull(self, name: str) -> str:
        return _said(_call(*self._COMMAND, "pull", "-q", name, timeout=PULL_TIMEOUT))

    def build(self, folder: Path, name: str) -> None:
        command = ("bud", "--isolation", "chroot", "--pull-never", "--layers", "-t", name, str(folder))
        _must(_call("nice", *self._COMMAND, *command, timeout=BUILD_TIMEOUT))

    def size(self, name: str) -> int:
        # It says 626 MB.
        number, unit = _must(_call(*self._COMMAND, "images", "--format", "{{.Size}}", name)).split()[:2]
        return int(float(number) * {"KB": 1e3, "MB": 1e6, "GB": 1e9}[unit])

    def remove(self, name: str) -> None:
        _call(*self._COMMAND, "rmi", name)

    @contextmanager
    def program(
        self, name: str, *arguments: str, environment: Mapping[str, str], mounts: Mapping[Path, str]
    ) -> Iterator[list[str]]:
        container = _must(_call(*self._COMMAND, "from", "--pull-never", name))
        try:
            root = _must(_call(*self._COMMAND, "mount", container))
            config = json.loads(_must(_call(*self._COMMAND, "inspect", container)))["OCIv1"]["config"]
            variables = [*config["Env"], *(f"{key}={value}" for key, value in environment.items())]
            steps = [f"mount --bind {root} {root}"]
            for source, target in mounts.items():
                place = f"{root}{target}"
                Path(place).mkdir(parents=True, exist_ok=True)
                steps.append(f"mount --bind {shlex.quote(str(source))} {shlex.quote(place)}")
            steps += [
                f"mount -t tmpfs -o mode=1777 tmpfs {root}/tmp",
                f"mount --bind /proc {root}/proc",
                f"mount --rbind /dev {root}/dev",
                f"mount --bind /etc/resolv.conf {root}/etc/resolv.conf",
                f"mount -o remount,bind,ro {root}",
                f"cd {root}/tmp",
            ]
            # One process after the other in the same place, so that a signal reaches the program.
            program = ["env", "-i", *variables, *config["Entrypoint"], *arguments]
            steps.append(f"exec chroot --userspec={USER}:{USER} {root} {shlex.join(program)}")
            yield ["unshare", "--mount", "sh", "-ec", "\n".join(steps)]
        finally:
            _call(*self._COMMAND, "rm", container)


def find_builder() -> Builder:
    """What images can be built with here.

    Raises:
        ImageError: there is nothing.
    """
    reasons = []
    if shutil.which("docker"):
        said = _said(_call("docker", "version", "--format", "{{.Server.Version}}"))
        if not said:
            return Docker()
        reasons.append(f"docker is here, and its daemon is not: {said.splitlines()[0]}")
    if shutil.which("buildah"):
        if os.geteuid() == 0:
            return Buildah()
        reasons.append("buildah is here, and is used by root only")
    raise ImageError("; ".join(reasons) or "neither docker nor buildah is on PATH")


def ensure_base(builder: Builder) -> None:
    """Have the base image.

    Raises:
        ImageError: it is not here, and cannot be fetched.
    """
    if not builder.has(BASE) and (said := builder.pull(BASE)):
        raise ImageError(f"the base image {BASE} is not here and cannot be fetched: {said.splitlines()[-1]}")


def _call(*command: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"{command[0]} took longer than {timeout:g} s")


def _said(result: subprocess.CompletedProcess[str]) -> str:
    return "" if result.returncode == 0 else result.stderr.strip() or f"exit code {result.returncode}"


def _must(result: subprocess.CompletedProcess[str]) -> str:
    if result.returncode:
        raise ImageError(f"{result.stdout}{result.stderr}"[-3000:])
    return result.stdout.strip()


def main() -> int:
    """Build the image and say how large it is."""
    began = time.monotonic()
    try:
        builder = find_builder()
        ensure_base(builder)
        builder.build(ROOT, NAME)
        size = builder.size(NAME)
    except ImageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{NAME}: {size / 1e6:.0f} MB, in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
