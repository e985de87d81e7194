"""Manifests that are good and manifests that are bad: what `rojak validate` and the API server have to agree on.

``good/*.yaml`` are accepted by both. ``bad/*.yaml`` are tables: a base, and cases that change it and say what is then
wrong. Most are refused by both, with the same message where it is a rule of ours; ``seen_by`` names who sees the rest.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from rojak.manifests.documents import parse

FOLDER = Path(__file__).parent
GOOD = sorted((FOLDER / "good").glob("*.yaml"))


@dataclass(frozen=True, slots=True)
class BadManifest:
    """A manifest with one mistake.

    Attributes:
        name: what the mistake is.
        manifest: with the mistake.
        path: of the field that is wrong.
        message: how the message of `rojak validate` begins.
        seen_by: ``both``; ``validate``: the API server cannot know; ``cluster``: it is wrong in a cluster only.
        also: other fields that are wrong because of it.
        rule: whether the API server says it in the same words.
    """

    name: str
    manifest: dict[str, Any]
    path: str
    message: str
    seen_by: Literal["both", "validate", "cluster"]
    also: list[str]
    rule: bool


def good_manifests() -> Iterator[dict[str, Any]]:
    """All documents of the good files that are of our kinds."""
    for file in GOOD:
        for document in parse(file.read_text(), str(file), []):
            if document.data["apiVersion"].startswith("rojak.dev/"):
                yield document.data


def bad_manifests() -> Iterator[BadManifest]:
    """All cases of the bad tables."""
    for file in sorted((FOLDER / "bad").glob("*.yaml")):
        table = yaml.safe_load(file.read_text())
        for case in table["cases"]:
            manifest = copy.deepcopy(table["base"])
            for path in case.get("remove", []):
                _walk(manifest, path, lambda parent, last: parent.pop(last))
            for path, value in case.get("set", {}).items():
                _walk(manifest, path, lambda parent, last, value=value: parent.__setitem__(last, value))
            yield BadManifest(
                name=f"{file.stem}: {case['name']}",
                manifest=manifest,
                path=case["path"],
                message=case["message"],
                seen_by=case.get("seen_by", "both"),
                also=case.get("also", []),
                rule=case.get("rule", False),
            )


def _walk(manifest: Any, path: str, act: Any) -> None:
    *around, last = [int(step) if step.isdigit() else step for step in re.split(r"[.\[\]]+", path.rstrip("]"))]
    for step in around:
        if isinstance(manifest, dict) and step not in manifest:
            manifest[step] = {}
        manifest = manifest[step]
    act(manifest, last)
