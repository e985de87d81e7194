"""The pool that the chart's values ask for is there after the first installation, and outlives the chart."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dev.helm import CHART, Helm
from dev.kubernetes import KubernetesServer
from rojak.types.errors import ConfigurationError
from rojak_operator.settings import OperatorSettings
from tests.chart.installed import NAMESPACE, operator_as_installed
from tests.operator.cluster import Cluster, OperatorProcess, connect, wait_for_definitions
from tests.operator.test_agents import AGENT

pytestmark = pytest.mark.timeout(240)

#: The chart as it was when Helm made the pool itself.
OF_HELM = """
{{- if .Capabilities.APIVersions.Has "rojak.dev/v1alpha1/WorkerPool" }}
apiVersion: rojak.dev/v1alpha1
kind: WorkerPool
metadata:
  name: default
  namespace: {{ .Release.Namespace }}
  annotations:
    helm.sh/resource-policy: keep
spec:
  replicas: 2
{{- end }}
"""


@pytest.fixture
async def release(own_cluster: KubernetesServer, installer: Helm) -> AsyncIterator[Cluster]:
    """The namespace of the release, of which nothing is left for the next test."""
    async with await connect(own_cluster) as kube:
        yield Cluster(kube, NAMESPACE)
    installer("uninstall", "rojak", "--namespace", NAMESPACE, "--ignore-not-found")
    own_cluster.kubectl("delete", "crd", "-l", "app.kubernetes.io/part-of=rojak")


def install(installer: Helm, *settings: str, chart: Path = CHART) -> str:
    flags = [
        part
        for value in ("image.repository=rojak", "temporal.address=127.0.0.1:1", *settings)
        for part in ("--set", value)
    ]
    return installer(
        "upgrade", "--install", "rojak", str(chart), "--namespace", NAMESPACE, "--create-namespace", *flags
    )


def answer(server: KubernetesServer, *question: str) -> str:
    try:
        return server.kubectl(*question).strip()
    except subprocess.CalledProcessError as error:
        return str(error.stdout).strip()


@contextmanager
def operating(server: KubernetesServer, folder: Path) -> Iterator[OperatorProcess]:
    """While its pod of the release that there is now runs."""
    operator = operator_as_installed(server, folder)
    try:
        yield operator.start()
    finally:
        operator.stop()


async def test_one_installation_is_enough_and_the_pool_follows_the_values(
    own_cluster: KubernetesServer, installer: Helm, release: Cluster, tmp_path: Path
) -> None:
    said = install(installer, "workerPool.create=true", "workerPool.spec.replicas=1")
    assert "The operator makes the WorkerPool default" in said
    await asyncio.to_thread(wait_for_definitions, own_cluster)
    await release.apply("Agent", "triage", AGENT | {"workerPoolRef": {"name": "default"}})
    with operating(own_cluster, tmp_path) as operator:
        pool = await release.until_condition("WorkerPool", "default", "Programmed", "True")
        uid = pool["metadata"]["uid"]
        account = pool["spec"]["serviceAccountName"]
        assert own_cluster.kubectl("get", "serviceaccount", account, "-n", NAMESPACE)
        await release.until("WorkerPool", "default", lambda obj: obj["status"].get("agents") == 1)

        # What the values say is kept; what they do not is whoever's who adds it.
        arguments = ("patch", "workerpool", "default", "-n", NAMESPACE, "--type=merge", "-p")
        changed = {"spec": {"replicas": 5, "gracefulShutdown": "45s"}}
        await asyncio.to_thread(own_cluster.kubectl, *arguments, json.dumps(changed))
        pool = await release.until("WorkerPool", "default", lambda obj: obj["spec"]["replicas"] == 1)
        assert (pool["spec"]["gracefulShutdown"], pool["metadata"]["uid"]) == ("45s", uid)
        # Somebody deletes it by mistake.
        await release.delete("WorkerPool", "default")
        pool = await release.until("WorkerPool", "default", lambda obj: obj["metadata"]["uid"] != uid)
        uid = pool["metadata"]["uid"]
        # It may make this one, and no other; and it does so once.
        assert await operator.metric("rojak_operator_apply_total", kind="WorkerPool", outcome="created") == 2
    for verb, name, may in (("create", "default", "yes"), ("patch", "default", "yes"), ("patch", "another", "no")):
        who = f"--as=system:serviceaccount:{NAMESPACE}:rojak-operator"
        question = ("auth", "can-i", verb, f"workerpools.rojak.dev/{name}", "-n", NAMESPACE, who)
        assert await asyncio.to_thread(answer, own_cluster, *question) == may, (verb, name)

    install(installer, "workerPool.create=true", "workerPool.spec.replicas=3")
    with operating(own_cluster, tmp_path):
        pool = await release.until("WorkerPool", "default", lambda obj: obj["spec"]["replicas"] == 3)
        assert pool["metadata"]["uid"] == uid

    # Agents that run on it go on: without the setting, and without the operator.
    install(installer)
    assert await release.get("WorkerPool", "default") is not None
    install(installer, "workerPool.create=true", "workerPool.spec.replicas=3")
    installer("uninstall", "rojak", "--namespace", NAMESPACE)
    left = await release.get("WorkerPool", "default")
    assert left is not None
    assert left["metadata"]["uid"] == uid
    assert own_cluster.kubectl("get", "serviceaccount", account, "-n", NAMESPACE)
    install(installer, "workerPool.create=true", "workerPool.spec.replicas=4")
    with operating(own_cluster, tmp_path):
        pool = await release.until("WorkerPool", "default", lambda obj: obj["spec"]["replicas"] == 4)
        assert pool["metadata"]["uid"] == uid
    await release.delete("WorkerPool", "default")
    await release.until_gone("WorkerPool", "default")


async def test_a_pool_that_helm_made_is_taken_over(
    own_cluster: KubernetesServer, installer: Helm, release: Cluster, tmp_path: Path
) -> None:
    older = tmp_path / "rojak"
    shutil.copytree(CHART, older)
    (older / "templates/workerpool.yaml").write_text(OF_HELM)
    install(installer, chart=older)
    wait_for_definitions(own_cluster)
    install(installer, chart=older)
    before: Any = await release.get("WorkerPool", "default")
    assert before["spec"]["replicas"] == 2
    install(installer, "workerPool.create=true", "workerPool.spec.replicas=3")
    with operating(own_cluster, tmp_path):
        pool = await release.until("WorkerPool", "default", lambda obj: obj["spec"]["replicas"] == 3)
    assert pool["metadata"]["uid"] == before["metadata"]["uid"]
    await release.delete("WorkerPool", "default")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "ROJAK_WORKER_POOL is no JSON"),
        ('{"metadata": {"name": "x"}, "spec": {"replicaz": 1}}', "replicaz"),
        (
            '{"metadata": {"name": "x"}, "spec": {"replicas": 1, "autoscaling": {"maxReplicas": 3}}}',
            "give replicas or autoscaling, not both",
        ),
    ],
)
def test_a_pool_that_makes_no_sense_ends_the_operator(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        OperatorSettings.from_environment({"ROJAK_WORKER_POOL": text})
