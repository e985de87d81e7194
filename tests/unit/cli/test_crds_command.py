"""``rojak crds`` prints what a cluster has to know, all of it or the kinds that are asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from rojak.cli import main

ROOT = Path(__file__).resolve().parents[3]


def test_all_of_them_are_printed_and_are_those_of_the_repository(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crds"]) == 0
    printed = list(yaml.safe_load_all(capsys.readouterr().out))
    kept = [yaml.safe_load(file.read_text()) for file in sorted((ROOT / "crds").glob("*.yaml"))]
    assert printed == kept


@pytest.mark.parametrize("name", ["Agent", "agents", "ag"])
def test_one_kind_is_printed_by_any_of_its_names(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main(["crds", name, "-o", "json"]) == 0
    (crd,) = json.loads(capsys.readouterr().out)["items"]
    assert crd["metadata"]["name"] == "agents.rojak.dev"


def test_an_unknown_kind_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crds", "agnet"]) == 1
    assert capsys.readouterr().err.startswith("error: there is no kind 'agnet'; did you mean 'agent")
