"""Pytest fixtures that come with Rojak. Importing this costs nothing: what they need is imported when they are used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rojak.testing import ModelServer


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    """A scripted model server of the test's own; see `rojak.testing.ModelServer`."""
    from rojak.testing import ModelServer

    with ModelServer() as server:
        yield server


@pytest.fixture(scope="session")
def temporal_address() -> Iterator[str]:
    """host:port of a Temporal server: the one in TEMPORAL_ADDRESS, or one that runs while the tests do."""
    from rojak.dev import TemporalServer

    with TemporalServer(headless=True) as server:
        yield server.address
