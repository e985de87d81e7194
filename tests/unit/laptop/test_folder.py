"""The folder of `rojak dev` goes when it ends, and at the latest when the next one starts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from rojak.laptop.folder import own_folder

#: Says which folder it has, and holds it until its input ends.
HOLDER = """
import sys
from rojak.laptop.folder import own_folder
with own_folder() as folder:
    (folder / "worker.json").write_text("{}")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are, of this process and its children."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


@contextmanager
def holder() -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process with such a folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stdout is not None
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_it_goes_with_its_block(temporary: Path) -> None:
    with own_folder() as folder:
        (folder / "more").mkdir()
        assert folder.parent == temporary
    assert list(temporary.iterdir()) == []


def test_that_of_a_living_process_stays_and_that_of_a_killed_one_goes() -> None:
    with holder() as (process, theirs):
        with own_folder():
            assert (theirs / "worker.json").exists()
        process.kill()
        process.wait()
        assert theirs.exists()
        with own_folder() as folder:
            assert not theirs.exists()
            assert folder.exists()


def test_what_only_has_such_a_name_stays(temporary: Path) -> None:
    (temporary / "rojak-laptop-file").write_text("mine")
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir()
    (temporary / "rojak-laptop-link").symlink_to(elsewhere)
    with own_folder():
        pass
    assert elsewhere.exists()
    assert (temporary / "rojak-laptop-file").exists()
    assert (temporary / "rojak-laptop-link").is_symlink()


def test_many_that_start_at_once_take_nothing_from_each_other() -> None:
    command = [sys.executable, "-c", HOLDER]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            for _ in range(8)
        ]
        folders = []
        for process in processes:
            assert process.stdout is not None
            folders.append(Path(process.stdout.readline().strip()))
        assert len(set(folders)) == 8
        assert all((folder / "worker.json").exists() for folder in folders)
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
    assert not any(folder.exists() for folder in folders)
