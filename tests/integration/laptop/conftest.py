"""A project of two agents, and `rojak dev` for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.laptop.dev_process import DevProcess
from tests.integration.laptop.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def dev(project: Project, temporal_address: str) -> Iterator[DevProcess]:
    with DevProcess("-f", project.folder, "-n", project.namespace, "--address", temporal_address) as dev:
        dev.wait_for(f"ready: rojak chat two --address {temporal_address} -n {project.namespace}")
        yield dev
