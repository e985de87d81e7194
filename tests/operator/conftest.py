"""One API server and one operator for all tests; each has a namespace of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from dev.kubernetes import KubernetesServer
from dev.kubernetes.pytest_plugin import OPERATOR_ACCOUNT
from tests.operator.cluster import Cluster, OperatorProcess, connect, new_cluster, prepare

Start = Callable[..., OperatorProcess]


@pytest.fixture(scope="session")
def prepared(kubernetes: KubernetesServer) -> KubernetesServer:
    """The API server with our definitions and rights."""
    prepare(kubernetes)
    return kubernetes


@pytest.fixture(scope="session")
def operator(
    prepared: KubernetesServer, temporal_address: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """An operator that works in all namespaces."""
    log = tmp_path_factory.mktemp("operator") / "operator.log"
    process = OperatorProcess(
        prepared, log, TEMPORAL_ADDRESS=temporal_address, ROJAK_RESYNC="5", ROJAK_AUDIT="5"
    ).start()
    try:
        yield process
    finally:
        process.stop()


@pytest.fixture
async def cluster(prepared: KubernetesServer, operator: OperatorProcess) -> AsyncIterator[Cluster]:
    """A namespace of the test's own, in which the operator works."""
    async with await connect(prepared) as kube:
        yield await new_cluster(kube)


@pytest.fixture(scope="module")
def alone(kubernetes_programs: None) -> Iterator[KubernetesServer]:
    """An API server where no operator works but a test's own: the one that all tests share works everywhere."""
    with KubernetesServer(accounts=[OPERATOR_ACCOUNT]) as server:
        prepare(server)
        yield server


@pytest.fixture
async def quiet(alone: KubernetesServer) -> AsyncIterator[Cluster]:
    """A namespace that no operator looks at but the test's own."""
    async with await connect(alone) as kube:
        yield await new_cluster(kube)


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts operators that end with the test."""
    started: list[OperatorProcess] = []

    def start(server: KubernetesServer, cluster: Cluster, **environment: str) -> OperatorProcess:
        log = tmp_path / f"operator-{len(started)}.log"
        given = {"ROJAK_WATCH_NAMESPACES": cluster.namespace, "ROJAK_RESYNC": "5", **environment}
        process = OperatorProcess(server, log, **given).start()
        started.append(process)
        return process

    yield start
    for process in started:
        await asyncio.to_thread(process.stop)
