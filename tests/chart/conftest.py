"""An API server of the chart's own: its definitions and rights come and go, which other tests would not stand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dev.helm import Helm
from dev.kubernetes import KubernetesServer
from dev.kubernetes.pytest_plugin import OPERATOR_ACCOUNT


@pytest.fixture(scope="module")
def own_cluster(kubernetes_programs: None) -> Iterator[KubernetesServer]:
    """Nothing is installed in it."""
    with KubernetesServer(accounts=[OPERATOR_ACCOUNT]) as server:
        yield server


@pytest.fixture(scope="module")
def installer(helm: Helm, own_cluster: KubernetesServer) -> Helm:
    """Helm, as the administrator of that cluster."""
    return helm.for_cluster(own_cluster.kubeconfig)
