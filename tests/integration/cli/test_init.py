"""The project that ``rojak init`` writes is valid, its test passes, and nothing is ever overwritten."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rojak.cli import main

pytestmark = pytest.mark.timeout(120)


def test_the_project_is_valid_and_its_tests_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "deeper" / "mine"
    assert main(["init", str(folder)]) == 0
    assert "rojak validate -f ." in capsys.readouterr().out
    assert main(["validate", "-f", str(folder), "--strict"]) == 0
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_address)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100)
    assert "2 passed" in result.stdout, result.stdout + result.stderr


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tools.py").write_text("# mine\n")
    assert main(["init", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said == f"error: {tmp_path} has tools.py already, and nothing is overwritten; name another folder\n"
    assert [path.name for path in tmp_path.iterdir()] == ["tools.py"]


def test_a_file_is_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["init", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err == f"error: {tmp_path / 'file'} is a file; name a folder\n"


def test_what_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["init", str(tmp_path / "file" / "inside")]) == 1
    assert capsys.readouterr().err == f"error: {tmp_path / 'file' / 'inside'}: Not a directory\n"
