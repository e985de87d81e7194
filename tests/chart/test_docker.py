"""What is asked of Docker, where there is no daemon to ask: a program of that name writes down how it was called."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from dev.image import NAME, ROOT, Docker, ImageError, ensure_base, find_builder

PROGRAM = """#!/bin/sh
echo "$*" >> "$0.calls"
case "$1 $2" in
  "version --format")
    if [ -e "$0.down" ]; then echo "Cannot connect to the Docker daemon" >&2; exit 1; fi
    echo 28.0.0 ;;
  "image inspect") if [ -e "$0.empty" ]; then exit 1; fi; echo 626000000 ;;
  "pull -q") echo "no such host" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program, alone on PATH with what a shell needs."""
    program = tmp_path / "docker"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    (tmp_path / "sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(tmp_path))
    return program


def calls(program: Path) -> list[str]:
    return Path(f"{program}.calls").read_text().splitlines()


def test_it_is_used_where_its_daemon_answers(docker: Path) -> None:
    builder = find_builder()
    assert isinstance(builder, Docker)
    ensure_base(builder)
    builder.build(ROOT, NAME)
    assert builder.size(NAME) == 626_000_000
    builder.remove(NAME)
    assert calls(docker) == [
        "version --format {{.Server.Version}}",
        "image inspect docker.io/library/python:3.12-slim",
        f"build -q --network host -t {NAME} {ROOT}",
        f"image inspect --format {{{{.Size}}}} {NAME}",
        f"image rm {NAME}",
    ]


def test_a_daemon_that_does_not_answer_is_said(docker: Path) -> None:
    Path(f"{docker}.down").touch()
    with pytest.raises(ImageError, match="docker is here, and its daemon is not: Cannot connect"):
        find_builder()


def test_a_base_image_that_cannot_be_fetched_is_said(docker: Path) -> None:
    Path(f"{docker}.empty").touch()
    with pytest.raises(ImageError, match="python:3.12-slim is not here and cannot be fetched: no such host"):
        ensure_base(find_builder())


def test_a_program_runs_as_in_a_pod(docker: Path, tmp_path: Path) -> None:
    with Docker().program(NAME, "worker", "--help", environment={"A": "1"}, mounts={tmp_path: "/etc/rojak"}) as command:
        subprocess.run(command, check=True, env=dict(os.environ), timeout=30)
    (called,) = calls(docker)
    flags, _, program = called.partition(f" {NAME} ")
    assert program == "worker --help"
    assert flags == (
        "run --rm --read-only --tmpfs /tmp --network host --cap-drop ALL --security-opt no-new-privileges"
        f" --env A=1 --volume {tmp_path}:/etc/rojak:ro"
    )
