"""Lists in the documentation are complete: pages, decisions, errors, folders."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
#: Where errors for callers of the library and for models come from.
SOURCES = [
    "agents",
    "client",
    "dev",
    "hosting",
    "laptop",
    "manifests",
    "mcp",
    "retrievers",
    "session",
    "testing",
    "tools",
]
SOURCES += ["types", "workflows"]
#: Caught where they are raised, or turned into one of the others.
INTERNAL = {"ResultError", "ArgumentsError", "MCPServerError"}
#: Temporal's, httpx's and Python's own names in code that reads them.
FOREIGN = {"ActivityError", "ApplicationError", "ConnectError"}


def read(name: str) -> str:
    return (ROOT / name).read_text()


def linked(page: Path) -> set[str]:
    return {Path(target).name for target in re.findall(r"\]\(([^)#]+)", page.read_text()) if "//" not in target}


def test_each_page_is_in_the_index() -> None:
    assert {page.name for page in DOCS.glob("*.md")} - {"README.md"} <= linked(DOCS / "README.md")


def test_each_decision_is_in_the_index_and_has_a_number_of_its_own() -> None:
    records = {page.name for page in (DOCS / "decisions").glob("0*.md")}
    assert records <= linked(DOCS / "decisions" / "README.md")
    assert [number for number, count in Counter(name[:4] for name in records).items() if count > 1] == []
    for name in records:
        assert (DOCS / "decisions" / name).read_text().startswith(f"# {name[:4]}: "), name


def error_names(source: Path) -> set[str]:
    """Names of exceptions that a file defines, or that it gives to failures."""
    tree = ast.parse(source.read_text())
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name.endswith("Error"):
            names.add(node.name)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names |= set(re.findall(r"^[A-Z][A-Za-z]+Error$", node.value))
    return {name for name in names if not name.startswith("_")}


@pytest.mark.parametrize("package", SOURCES)
def test_each_error_is_on_the_page_of_errors(package: str) -> None:
    page = set(re.findall(r"`([A-Za-z]+)`", read("docs/errors.md")))
    found = {name for source in (ROOT / "rojak" / package).rglob("*.py") for name in error_names(source)}
    assert found - page - INTERNAL - FOREIGN == set()


def test_each_folder_is_in_the_table_for_contributors() -> None:
    table = read("CONTRIBUTING.md")
    packages = {f"rojak/{path.parent.name}/" for path in (ROOT / "rojak").glob("*/__init__.py")}
    tops = {"operator/", "crds/", "dev/", "bench/", "examples/", "docs/decisions/"}
    assert {name for name in packages | tops if f"`{name}`" not in table} == set()
