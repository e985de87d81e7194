"""Pytest's side of the API server for tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dev.helm.pytest_plugin import build_if_needed
from dev.kubernetes.binaries import find_binaries
from dev.kubernetes.server import KubernetesServer

#: Service accounts that tests of the operator run it as.
OPERATOR_ACCOUNT = ("rojak-system", "rojak-operator")
_FIXTURES = {"kubernetes", "own_kubernetes", "kubernetes_programs"}


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the programs, where that is needed, before any test runs: it takes longer than a test may."""
    if session.config.option.collectonly:
        return
    build_if_needed(session.items)
    if any(_FIXTURES & set(getattr(i, "fixturenames", ())) for i in session.items):
        find_binaries()


@pytest.fixture(scope="session")
def kubernetes_programs() -> None:
    """The programs are there, for fixtures that start a server of their own."""
    find_binaries()


@pytest.fixture(scope="session")
def kubernetes() -> Iterator[KubernetesServer]:
    """An API server that all tests share; each of them uses a namespace of its own."""
    with KubernetesServer(accounts=[OPERATOR_ACCOUNT]) as server:
        yield server


@pytest.fixture
def own_kubernetes() -> Iterator[KubernetesServer]:
    """An API server of the test's own, to stop and start it."""
    with KubernetesServer(accounts=[OPERATOR_ACCOUNT]) as server:
        yield server
