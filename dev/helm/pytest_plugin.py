"""Pytest's side of Helm."""

from __future__ import annotations

import pytest

from dev.helm.binary import Helm, find_helm

#: Tests that use one of these need the program: the operator's run with the rights of the chart.
FIXTURES = {"helm", "prepared", "own_kubernetes", "kubernetes_programs"}


def build_if_needed(items: list[pytest.Item]) -> None:
    """Build the program, where that is needed, before any test runs: it takes longer than a test may."""
    if any(FIXTURES & set(getattr(item, "fixturenames", ())) for item in items):
        find_helm()


@pytest.fixture(scope="session")
def helm() -> Helm:
    """The program, which talks to no cluster."""
    return find_helm()
