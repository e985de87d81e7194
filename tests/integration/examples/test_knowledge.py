"""The example `knowledge` runs as its users run it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from examples.knowledge.library import embed, read_corpus
from rojak.testing import ModelServer

ROOT = Path(__file__).resolve().parents[3]


def run_example(*arguments: str, **environment: str) -> str:
    """What it prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    command = [sys.executable, "-m", "examples.knowledge.main", *arguments]
    result = subprocess.run(
        command, cwd=ROOT, env=kept | environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_it_runs_without_a_key() -> None:
    shown = run_example()
    assert "Guide looks up huts.md: Dogs; trails.md: From the valley to the Larch Hut" in shown
    assert shown.count("Scout calls search_handbook") == 2
    assert shown.count("Dogs are welcome in the Larch Hut") == 3


def test_it_runs_with_a_key(model_server: ModelServer) -> None:
    model_server.when(system="[safety.md: Emergency call]").reply("Call 144.")
    model_server.otherwise().reply("I do not know.")
    shown = run_example("Who answers an emergency call?", OPENAI_API_KEY="test", OPENAI_BASE_URL=model_server.base_url)
    assert "Guide: Call 144." in shown
    assert "Scout: I do not know." in shown


@pytest.mark.parametrize(
    ("question", "source"),
    [
        ("When does the Eagle Hut open?", "huts.md: Opening times"),
        ("How much is a night for members?", "huts.md: Paying"),
        ("Who do I call in an emergency?", "safety.md: Emergency call"),
        ("What should I pack?", "safety.md: What to pack"),
        ("Is there a walk for push chairs?", "trails.md: The lake"),
    ],
)
def test_its_embedding_finds_the_section_that_answers(question: str, source: str) -> None:
    def near(text: str) -> float:
        return sum(a * b for a, b in zip(embed(question), embed(text), strict=True))

    assert max(read_corpus(), key=lambda section: near(f"{section.source} {section.text}")).source == source
