"""The chart in a real API server: installed, upgraded, removed, and what stays then."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.foreign import definitions
from dev.helm import CHART, Helm
from dev.helm.chart import API_VERSIONS, default_pools, render
from dev.kubernetes import KubernetesServer

pytestmark = pytest.mark.timeout(180)

NAMESPACE = "rojak-system"
AGENT = {
    "apiVersion": "rojak.dev/v1alpha1",
    "kind": "Agent",
    "metadata": {"name": "triage", "namespace": "default"},
    "spec": {"instructions": "You help.", "model": {"provider": "openai", "name": "gpt-x"}},
}
#: Helm's way to install what may be there already.
UPGRADE = ("upgrade", "--install", "rojak", "--namespace", NAMESPACE, "--create-namespace")
ADDRESS = ("--set", "temporal.address=temporal:7233", "--set", "image.repository=rojak")


@pytest.fixture(autouse=True)
def clean(own_cluster: KubernetesServer, installer: Helm) -> Iterator[None]:
    """Nothing of a test is left for the next one."""
    yield
    installer("uninstall", "rojak", "--namespace", NAMESPACE, "--ignore-not-found")
    for name in names(own_cluster, "crd"):
        own_cluster.kubectl("delete", "crd", name)


def get(server: KubernetesServer, *what: str) -> Any:
    return json.loads(server.kubectl("get", *what, "-o", "json"))


def names(server: KubernetesServer, *what: str) -> list[str]:
    return [item["metadata"]["name"] for item in get(server, *what)["items"]]


def until_served(server: KubernetesServer) -> None:
    """Until objects of our kinds can be made, and whoever asks what there is, as Helm does, is told of them."""
    server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    give_up = time.monotonic() + 30
    while True:
        try:
            server.kubectl("get", "agents,workerpools", "--all-namespaces")
            told = server.kubectl("api-resources", "--cached=false", "--api-group=rojak.dev", "-o", "name").split()
            if len(told) == 4:
                return
        except subprocess.CalledProcessError:
            # A definition that was just made is refused for a moment.
            pass
        assert time.monotonic() < give_up
        time.sleep(0.2)


def apply(server: KubernetesServer, obj: dict[str, Any]) -> None:
    server.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(obj))


def an_older_chart(folder: Path) -> Path:
    """The chart as it could have been: without a field that manifests have today, and with another operator."""
    older = folder / "rojak"
    shutil.copytree(CHART, older)
    template = older / "templates/crds/agents.yaml"
    text = template.read_text()
    assert "contextVariables" in text
    template.write_text(text.replace("contextVariables", "variables"))
    chart = older / "Chart.yaml"
    chart.write_text(chart.read_text().replace("appVersion: ", "appVersion: 1.9.0-"))
    return older


def test_it_is_installed_upgraded_and_removed_and_manifests_survive_all_of_it(
    own_cluster: KubernetesServer, installer: Helm, tmp_path: Path
) -> None:
    older = an_older_chart(tmp_path)
    said = installer(*UPGRADE, str(older), *ADDRESS)
    assert "kubectl -n rojak-system rollout status deployment/rojak-operator" in said
    until_served(own_cluster)
    apply(own_cluster, AGENT)

    def fields() -> set[str]:
        crd = get(own_cluster, "crd", "agents.rojak.dev")
        return set(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"])

    assert "contextVariables" not in fields()
    before = get(own_cluster, "agent", "triage")

    # The definitions are upgraded with the chart, and what was made by the old ones is still there.
    installer(*UPGRADE, str(CHART), *ADDRESS)
    assert "contextVariables" in fields()
    after = get(own_cluster, "agent", "triage")
    assert (after["metadata"]["uid"], after["spec"]) == (before["metadata"]["uid"], before["spec"])
    deployment = get(own_cluster, "deployment", "rojak-operator", "-n", NAMESPACE)
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "rojak:2.0.0.dev0"

    # Without changes nothing changes.
    generation = deployment["metadata"]["generation"]
    installer(*UPGRADE, str(CHART), *ADDRESS)
    assert get(own_cluster, "deployment", "rojak-operator", "-n", NAMESPACE)["metadata"]["generation"] == generation

    installer("uninstall", "rojak", "--namespace", NAMESPACE)
    assert names(own_cluster, "deployments,services,poddisruptionbudgets", "-n", NAMESPACE) == []
    assert not [name for name in names(own_cluster, "clusterroles,clusterrolebindings") if name.startswith("rojak")]
    assert len(names(own_cluster, "crd")) == 4
    assert get(own_cluster, "agent", "triage")["metadata"]["uid"] == before["metadata"]["uid"]

    # And back again, over the definitions that stayed.
    installer(*UPGRADE, str(CHART), *ADDRESS)
    assert names(own_cluster, "deployments", "-n", NAMESPACE) == ["rojak-operator"]


def test_definitions_go_too_where_that_is_asked_for(own_cluster: KubernetesServer, installer: Helm) -> None:
    installer(*UPGRADE, str(CHART), *ADDRESS, "--set", "crds.keep=false")
    assert len(names(own_cluster, "crd")) == 4
    installer("uninstall", "rojak", "--namespace", NAMESPACE, "--wait")
    assert names(own_cluster, "crd") == []


@pytest.mark.parametrize("values", ["default", "dev", "everything"])
def test_pods_are_what_the_restricted_profile_allows(own_cluster: KubernetesServer, helm: Helm, values: str) -> None:
    """Asked of the API server's own admission, which judges pods."""
    namespace = f"restricted-{values}"
    own_cluster.kubectl("create", "namespace", namespace)
    own_cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    deployments = [obj for obj in render(helm, CHART / f"ci/{values}-values.yaml") if obj["kind"] == "Deployment"]
    for deployment in deployments:
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": deployment["metadata"]["name"], "namespace": namespace},
            "spec": deployment["spec"]["template"]["spec"],
        }
        own_cluster.kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=yaml.safe_dump(pod))
        for container in pod["spec"]["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            container["securityContext"].pop("capabilities")
        with pytest.raises(subprocess.CalledProcessError) as refused:
            own_cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(pod))
        assert "violates PodSecurity" in refused.value.stderr


def test_everything_is_accepted_by_strict_validation(
    own_cluster: KubernetesServer, installer: Helm, helm: Helm
) -> None:
    """What Helm itself would let pass: a field that does not exist, in what users hand through as it is."""
    for definition in definitions("monitoring.coreos.com"):
        apply(own_cluster, definition)
    installer(*UPGRADE, str(CHART), *ADDRESS)
    until_served(own_cluster)
    for name in ("team-a", "team-b"):
        own_cluster.kubectl("create", "namespace", name)
    everything = render(
        helm, CHART / "ci/everything-values.yaml", settings=["crds.enabled=false"], api_versions=API_VERSIONS
    )
    everything += default_pools(everything)
    assert {"WorkerPool", "ServiceMonitor", "PodMonitor"} <= {obj["kind"] for obj in everything}
    text = yaml.safe_dump_all(everything)
    own_cluster.kubectl("apply", "--server-side", "--validate=strict", "--dry-run=server", "-f", "-", stdin=text)
