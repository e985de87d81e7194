"""The manifests that the documentation shows are valid, and what it shows of messages is what is said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rojak.manifests import check_references, read_text

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MANIFESTS = [
    (page, manifest)
    for page in PAGES
    for manifest in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)
    if "rojak.dev/" in manifest
]


@pytest.mark.parametrize(("page", "manifest"), MANIFESTS, ids=lambda part: part.name if isinstance(part, Path) else "")
def test_manifests_in_the_documentation_are_valid(page: Path, manifest: str) -> None:
    assert [str(problem) for problem in read_text(manifest, file=page.name).problems] == []


def test_the_guide_as_a_whole_refers_to_what_is_there() -> None:
    whole = "---\n".join(manifest for page, manifest in MANIFESTS if page.name == "manifests.md")
    bundle = read_text(whole)
    check_references(bundle)
    assert bundle.errors == []
    assert len(list(bundle.resources)) == 6
