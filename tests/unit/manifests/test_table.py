"""Good manifests are accepted and bad ones refused, each with the message of the table.

`tests/operator/test_crds.py` asks a real API server about the same table.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from rojak.manifests import KINDS, check_references, read, read_text
from rojak.manifests.validation import unwrap
from tests.manifests import GOOD, BadManifest, bad_manifests, good_manifests

CASES = list(bad_manifests())


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_good_manifests_are_accepted(file: Path) -> None:
    bundle = read([file])
    check_references(bundle)
    assert bundle.errors == []


@pytest.mark.parametrize("case", [case for case in CASES if case.seen_by != "cluster"], ids=lambda case: case.name)
def test_bad_manifests_are_one_message_with_the_field_and_the_remedy(case: BadManifest) -> None:
    bundle = read_text(json.dumps(case.manifest), file="case.yaml")
    if case.seen_by == "both":
        assert bundle.errors
    check_references(bundle)
    found = [problem for problem in bundle.errors if not problem.message.startswith("there is no Agent 'helper'")]
    if case.message.startswith("there is no Agent 'helper'"):
        found = bundle.errors
    assert sorted(problem.path for problem in found) == sorted([case.path, *case.also])
    (problem,) = [problem for problem in found if problem.path == case.path]
    assert problem.message.startswith(case.message)
    assert problem.object.startswith(case.manifest["kind"])


def test_the_names_of_cases_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


def test_the_good_manifests_use_every_field() -> None:
    used: dict[type[BaseModel], set[str]] = {}

    def note(cls: type[BaseModel], data: Any) -> None:
        for key, field in cls.model_fields.items():
            name = field.alias or key
            if isinstance(data, dict) and name in data:
                used.setdefault(cls, set()).add(name)
                model, is_list = unwrap(field.annotation)
                for part in data[name] if is_list else [data[name]]:
                    if model is not None:
                        note(model, part)

    for manifest in good_manifests():
        note(KINDS[manifest["kind"]].model_fields["spec"].annotation, manifest.get("spec", {}))  # type: ignore[arg-type]
    unused = {
        f"{cls.__name__}.{name}"
        for cls in used
        for key, field in cls.model_fields.items()
        if (name := field.alias or key) not in used[cls]
    }
    assert unused == {"InstructionsSource.file", "QdrantSource.path"}
