"""``rojak validate``: for a person who fixes a file, and for a pipeline that has to stop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from rojak.cli import main

GOOD = """\
apiVersion: rojak.dev/v1alpha1
kind: Agent
metadata: {name: triage}
spec:
  instructions: Be brief.
  model: {provider: openai, name: gpt-5-mini}
"""


def test_good_manifests_exit_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text(GOOD + "---\n" + GOOD.replace("triage", "other"))
    assert main(["validate", "-f", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "2 Agents: all valid\n"


def test_bad_manifests_exit_with_1_and_each_mistake_is_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(GOOD + "  handoffs: [{agentRef: {name: nobody}, description: x}]\n  wrker: {}\n")
    assert main(["validate", "-f", str(file)]) == 1
    said = capsys.readouterr()
    assert said.err == f"{file}:8:3: Agent/triage spec.wrker: unknown field; did you mean 'worker'?\n"
    assert said.out == "no valid objects: 1 error\n"


def test_warnings_fail_only_when_asked_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text(GOOD + "  workerPoolRef: {name: platform}\n")
    assert main(["validate", "-f", str(tmp_path)]) == 0
    assert "warning: there is no WorkerPool 'platform'" in capsys.readouterr().err
    assert main(["validate", "-f", str(tmp_path), "--strict"]) == 1


@pytest.mark.parametrize(("output", "parse"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_programs_get_data(tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str, parse: object) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(GOOD + "---\n" + GOOD.replace("triage", "Other"))
    assert main(["validate", "-f", str(file), "-o", output, "-n", "shop"]) == 1
    result = parse(capsys.readouterr().out)  # type: ignore[operator]  # one of the two above
    assert result["valid"] is False
    assert result["objects"] == ["Agent/shop/triage"]
    (problem,) = result["problems"]
    assert {key: problem[key] for key in ("file", "line", "column", "object", "path", "severity")} == {
        "file": str(file),
        "line": 10,
        "column": 12,
        "object": "Agent/Other",
        "path": "metadata.name",
        "severity": "error",
    }


def test_a_folder_that_is_not_there_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "-f", "/nowhere"]) == 1
    assert "/nowhere:1:1: there is no such file or folder" in capsys.readouterr().err
