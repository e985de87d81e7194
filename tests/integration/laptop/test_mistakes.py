"""What keeps `rojak dev` from starting is said in full, and it exits with 1."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.laptop.dev_process import DevProcess
from tests.integration.laptop.project import AGENT


def run(*arguments: str | Path, **environ: str) -> tuple[int, str]:
    with DevProcess(*arguments, **environ) as dev:
        code = dev.process.wait(60)
        dev._reader.join(30)
        assert dev.family() == []
        return code, dev.text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "agent.yaml").write_text(AGENT % {"name": "one", "instructions": "First."})
    (tmp_path / "tools.py").write_text("def greet() -> str:\n    return 'hello'\n")
    return tmp_path


def test_a_missing_secret_is_named_with_its_key_and_the_variable_to_set(folder: Path) -> None:
    code, text = run("-f", folder)
    assert code == 1
    assert (
        "error: Agent/one needs key 'api-key' of Secret 'openai': set the environment variable OPENAI_API_KEY" in text
    )


def test_mistakes_in_the_files_are_named_with_their_places(folder: Path) -> None:
    (folder / "agent.yaml").write_text((AGENT % {"name": "one", "instructions": "First."}).replace("greet", "great"))
    code, text = run("-f", folder, OPENAI_API_KEY="x")
    assert code == 1
    assert "agent.yaml:9:" in text
    assert "Did you mean 'greet'?" in text or "greet" in text


def test_a_script_that_cannot_play_is_named_with_its_line(folder: Path) -> None:
    (folder / "model_script.py").write_text("def write_script(model):\n    model.otherwise().replay('x')\n")
    code, text = run("-f", folder)
    assert code == 1
    assert "model_script.py:2: AttributeError" in text


def test_an_env_file_has_what_is_missing_and_its_own_mistakes_are_named(folder: Path, tmp_path: Path) -> None:
    bad = folder / "bad.env"
    bad.write_text("# fine\nOPENAI_API_KEY sk-secret\n")
    code, text = run("-f", folder, "--env-file", bad)
    assert code == 1
    assert "bad.env:2: a line of an env file is NAME=value" in text
    assert "sk-secret" not in text


def test_a_temporal_that_is_not_there_is_named(folder: Path) -> None:
    code, text = run("-f", folder, "--address", "127.0.0.1:1", OPENAI_API_KEY="x")
    assert code == 1
    assert "no Temporal server answers at 127.0.0.1:1" in text
