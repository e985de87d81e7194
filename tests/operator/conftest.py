"""One API server and one operator for all tests; each has a namespace of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from dev.kubernetes import KubernetesServer
from tests.operator.cluster import Cluster, OperatorProcess, connect, new_cluster, prepare


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
