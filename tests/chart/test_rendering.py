"""What the chart makes of its values, and which values it refuses."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.version import Version

from dev.helm import CHART, Helm, HelmError
from dev.helm.__main__ import check
from dev.helm.chart import API_VERSIONS, ROOT, default_pools, problems_of, render, values_files
from dev.helm.values import read_values
from rojak_operator.settings import OperatorSettings

pytestmark = pytest.mark.timeout(120)

ADDRESS = "temporal.address=temporal:7233"
IMAGE = "image.repository=registry.example/rojak"
INSTALL = ROOT / "docs/install.md"
#: Kinds of the chart that belong to no namespace.
CLUSTER_WIDE = {"CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"}


def values_file(name: str) -> Path:
    return CHART / "ci" / f"{name}-values.yaml"


def pods(objects: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield from (obj["spec"]["template"]["spec"] for obj in objects if obj["kind"] == "Deployment")


def environment(objects: list[dict[str, Any]]) -> dict[str, str]:
    """The variables of the operator, with a Secret's value where one is referred to."""
    (operator,) = [pod for pod in pods(objects) if pod["containers"][0]["name"] == "operator"]
    return {v["name"]: v.get("value", "from elsewhere") for v in operator["containers"][0]["env"]}


def named(objects: list[dict[str, Any]], kind: str) -> list[str]:
    return [obj["metadata"]["name"] for obj in objects if obj["kind"] == kind]


def test_every_object_fits_every_supported_kubernetes(helm: Helm) -> None:
    count, problems = check(helm)
    assert not problems
    assert count > 40


@pytest.mark.parametrize("kind", ["Deployment", "WorkerPool", "ServiceMonitor", "PodMonitor"])
def test_the_schemas_notice_a_field_that_does_not_exist(helm: Helm, kind: str) -> None:
    objects = render(helm, values_file("everything"), api_versions=API_VERSIONS)
    obj = next(obj for obj in (*objects, *default_pools(objects)) if obj["kind"] == kind)
    assert problems_of(obj, "1.35") == []
    obj["spec"]["replicaz"] = 2
    assert "replicaz" in problems_of(obj, "1.35")[0]


def test_the_schemas_notice_a_field_deep_inside_of_a_monitor_that_does_not_exist(helm: Helm) -> None:
    objects = render(helm, values_file("everything"), api_versions=API_VERSIONS)
    monitor = next(obj for obj in objects if obj["kind"] == "ServiceMonitor")
    monitor["spec"]["endpoints"][0]["intervall"] = "30s"
    assert "intervall" in problems_of(monitor, "1.35")[0]


def test_no_kind_of_the_chart_goes_unchecked(helm: Helm) -> None:
    for obj in render(helm, values_file("everything"), api_versions=API_VERSIONS):
        assert problems_of({**obj, "unknown": 1}, "1.35"), obj["kind"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ([ADDRESS], "image.repository is not set, and there is no public image: build one with `make image`"),
        ([ADDRESS, "image.repository=registry.example/rojak:2.0"], "at '/image/repository'"),
        ([IMAGE], "temporal.address is not set: give host:port of your Temporal, or set devTemporal.enabled=true"),
        (["temporal.adress=a:1"], "at '/temporal': additional properties 'adress' not allowed"),
        (["temporal.address=http://temporal:7233"], "at '/temporal/address'"),
        ([ADDRESS, IMAGE, "operator.replicas=two"], "at '/operator/replicas': got string, want integer"),
        ([ADDRESS, IMAGE, "operator.resources.limit.cpu=1"], "at '/operator/resources': additional properties 'limit'"),
        ([ADDRESS, IMAGE, "operator.logFormat=xml"], "value must be one of 'json', 'text'"),
        ([ADDRESS, IMAGE, "image.digest=latest"], "at '/image/digest'"),
        ([ADDRESS, IMAGE, "watchNamespaces=team-a"], "at '/watchNamespaces': got string, want array"),
        ([ADDRESS, IMAGE, "workerPool.spec.replica=3"], "at '/workerPool/spec': additional properties 'replica'"),
        ([ADDRESS, IMAGE, r"commonLabels.app\.kubernetes\.io/name=x"], "invalid propertyName 'app.kubernetes.io/name'"),
        ([ADDRESS, IMAGE, "operator.leaderElection.enabled=false"], "two would work against each other"),
        ([ADDRESS, IMAGE, "devTemporal.enabled=true"], "use one Temporal"),
        (
            [ADDRESS, IMAGE, "temporal.apiKeySecret.name=a", "temporal.clientCertSecret.name=b"],
            "temporal.apiKeySecret and temporal.clientCertSecret are both given: log in with one of them",
        ),
        (
            [ADDRESS, IMAGE, "workerPool.create=true", "watchNamespaces={team-a}"],
            '"rojak-system" is not one of watchNamespaces: nobody would run the pool',
        ),
        (
            [ADDRESS, IMAGE, "serviceAccount.create=false"],
            "serviceAccount.create is false: name an account that exists in serviceAccount.name",
        ),
    ],
)
def test_values_with_a_mistake_are_refused_with_the_remedy(helm: Helm, settings: list[str], message: str) -> None:
    with pytest.raises(HelmError, match=re.escape(message)):
        render(helm, settings=settings)


def test_a_kubernetes_that_is_too_old_is_refused(helm: Helm) -> None:
    with pytest.raises(HelmError, match="incompatible with Kubernetes"):
        render(helm, settings=[ADDRESS, IMAGE], kubernetes="1.30.9")


@pytest.mark.parametrize("values", values_files(), ids=lambda path: path.stem)
def test_roles_have_no_wildcards_and_touch_no_pods(helm: Helm, values: Path) -> None:
    roles = [obj for obj in render(helm, values) if obj["kind"] in ("Role", "ClusterRole")]
    assert roles
    for rule in (rule for role in roles for rule in role["rules"]):
        names = rule["verbs"] + rule["resources"] + rule["apiGroups"]
        assert not [name for name in names if "*" in name]
        assert not [name for name in rule["resources"] if name.startswith("pods") or "role" in name]
        if "secrets" in rule["resources"]:
            assert set(rule["verbs"]) <= {"get", "list", "watch"}


def test_a_namespaced_installation_has_nothing_outside_of_namespaces(helm: Helm) -> None:
    objects = render(helm, values_file("namespaced"))
    assert not [obj["kind"] for obj in objects if obj["kind"] in CLUSTER_WIDE]
    places = {obj["metadata"]["namespace"] for obj in objects if obj["kind"] == "RoleBinding"}
    assert places == {"rojak-system", "team-a", "team-b"}
    assert environment(objects)["ROJAK_WATCH_NAMESPACES"] == "team-a,team-b"


def test_the_operator_understands_its_environment(helm: Helm) -> None:
    default = OperatorSettings.from_environment(environment(render(helm, values_file("default"))))
    assert default.defaults.temporal.address == "temporal-frontend.temporal:7233"
    assert not default.defaults.temporal.tls
    # What the chart sets by default is what the program would take by itself.
    plain = OperatorSettings()
    for name in (
        "leader_election", "lease_name", "lease_seconds", "port", "workers", "resync", "audit", "requests_per_second",
        "temporal_requests_per_second", "deletion_timeout", "log_format", "cluster", "watch_namespaces",
    ):  # fmt: skip
        assert getattr(default, name) == getattr(plain, name), name

    assert default.worker_pool is None

    rendered = render(helm, values_file("cloud"))
    cloud = OperatorSettings.from_environment(environment(rendered)).defaults.temporal
    assert cloud.tls
    # A file: the value of a variable would stay as it was when the pod began.
    assert cloud.api_key is None
    assert cloud.api_key_path == "/etc/rojak/temporal-api-key/api-key"
    pod = next(obj for obj in rendered if obj["kind"] == "Deployment")["spec"]["template"]["spec"]
    volume = next(volume for volume in pod["volumes"] if volume["name"] == "temporal-api-key")
    assert volume["secret"] == {"secretName": "temporal-api-key", "items": [{"key": "api-key", "path": "api-key"}]}
    mount = next(mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == "temporal-api-key")
    assert mount == {"name": "temporal-api-key", "mountPath": "/etc/rojak/temporal-api-key", "readOnly": True}
    assert cloud.worker_api_key == ("temporal-api-key", "api-key")

    everything = OperatorSettings.from_environment(environment(render(helm, values_file("everything"))))
    assert everything.watch_namespaces == ("team-a", "team-b")
    assert everything.lease_name == "agents-operator"
    assert everything.cluster == "production"
    assert everything.worker_pool is not None
    assert everything.worker_pool["metadata"]["namespace"] == "team-a"
    assert everything.worker_pool["spec"]["autoscaling"] == {"minReplicas": 1, "maxReplicas": 5}
    assert everything.defaults.image == "registry.example/platform/agents:7"
    temporal = everything.defaults.temporal
    assert temporal.worker_cert_secret == "worker-cert"
    assert temporal.worker_ca == ("temporal-ca", "ca.crt")
    assert temporal.ca_path == "/etc/rojak/temporal-ca/ca.crt"


def test_files_that_the_environment_names_are_mounted(helm: Helm) -> None:
    objects = render(helm, values_file("everything"))
    (pod,) = pods(objects)
    container = pod["containers"][0]
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    paths = [v for name, v in environment(objects).items() if name.endswith("_PATH")]
    assert len(paths) == 3
    for path in paths:
        assert "secret" in volumes[mounts[str(Path(path).parent)]]


def test_workers_of_the_default_pool_have_an_account_without_a_token(helm: Helm) -> None:
    objects = render(helm, values_file("everything"), api_versions=API_VERSIONS)
    (pool,) = default_pools(objects)
    account = pool["spec"]["serviceAccountName"]
    (found,) = [obj for obj in objects if obj["kind"] == "ServiceAccount" and obj["metadata"]["name"] == account]
    assert found["automountServiceAccountToken"] is False
    assert found["metadata"]["namespace"] == pool["metadata"]["namespace"] == "team-a"
    bound = [s["name"] for obj in objects for s in obj.get("subjects", ())]
    assert account not in bound
    assert pool["spec"]["autoscaling"] == {"minReplicas": 1, "maxReplicas": 5}


@pytest.mark.parametrize(
    ("settings", "image"),
    [
        (["image.repository=rojak"], "rojak:{version}"),
        (
            ["image.repository=registry.example:5000/agents/rojak", "image.tag=2.0.0"],
            "registry.example:5000/agents/rojak:2.0.0",
        ),
        (["image.registry=registry.example", "image.repository=rojak"], "registry.example/rojak:{version}"),
        (["image.repository=rojak", f"image.digest=sha256:{'a' * 64}"], f"rojak@sha256:{'a' * 64}"),
    ],
)
def test_the_image_is_where_it_was_pushed(helm: Helm, settings: list[str], image: str) -> None:
    objects = render(helm, settings=[ADDRESS, *settings])
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    (pod,) = pods(objects)
    assert pod["containers"][0]["image"] == image.format(version=version)
    # Workers whose manifests name none have the same.
    assert environment(objects)["ROJAK_IMAGE"] == image.format(version=version)


def test_the_chart_is_where_the_project_is() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["home"] in project["urls"].values()
    assert chart["sources"] == [chart["home"]]


def test_what_is_optional_is_left_out(helm: Helm) -> None:
    objects = render(helm, values_file("default"), api_versions=API_VERSIONS)
    assert default_pools(objects) == []
    kinds = {obj["kind"] for obj in objects}
    assert not kinds & {"NetworkPolicy", "ServiceMonitor", "PodMonitor", "WorkerPool", "Secret"}
    assert named(objects, "Deployment") == ["rojak-operator"]
    assert named(objects, "PodDisruptionBudget") == ["rojak-operator"]
    assert "PodDisruptionBudget" not in {obj["kind"] for obj in render(helm, values_file("dev"))}


def test_monitors_are_made_where_their_kinds_are(helm: Helm) -> None:
    settings = [ADDRESS, IMAGE, "metrics.serviceMonitor.enabled=true", "metrics.podMonitor.enabled=true"]
    without = {obj["kind"] for obj in render(helm, settings=settings)}
    assert not without & {"ServiceMonitor", "PodMonitor"}
    objects = render(helm, settings=settings, api_versions=["monitoring.coreos.com/v1"])
    monitors = {obj["kind"]: obj for obj in objects if obj["kind"].endswith("Monitor")}
    assert set(monitors) == {"ServiceMonitor", "PodMonitor"}
    # It selects the Service that is there.
    (service,) = [obj for obj in objects if obj["kind"] == "Service"]
    wanted = monitors["ServiceMonitor"]["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= service["metadata"]["labels"].items()
    (port,) = service["spec"]["ports"]
    assert monitors["ServiceMonitor"]["spec"]["endpoints"][0]["port"] == port["name"]


@pytest.mark.parametrize("values", values_files(), ids=lambda path: path.stem)
def test_selectors_find_the_pods_they_are_for(helm: Helm, values: Path) -> None:
    objects = render(helm, values)
    labels = {
        obj["metadata"]["name"]: obj["spec"]["template"]["metadata"]["labels"]
        for obj in objects
        if obj["kind"] == "Deployment"
    }
    for obj in objects:
        if obj["kind"] in ("Deployment", "PodDisruptionBudget"):
            selector = obj["spec"]["selector"]["matchLabels"]
        elif obj["kind"] == "Service":
            selector = obj["spec"]["selector"]
        else:
            continue
        found = [name for name, has in labels.items() if selector.items() <= has.items()]
        assert found == [obj["metadata"]["name"].removesuffix("-metrics")]


def test_no_value_is_without_effect(helm: Helm) -> None:
    text = "".join(path.read_text() for path in (CHART / "templates").rglob("*") if path.is_file())
    unused = [value.path for value in read_values() if f".{value.path.split('.')[-1]}" not in text]
    assert unused == []


def test_a_release_of_another_name_has_names_of_its_own(helm: Helm) -> None:
    objects = render(helm, settings=[ADDRESS, IMAGE], release="second", namespace="elsewhere")
    assert named(objects, "Deployment") == ["second-rojak-operator"]
    (lease,) = [v for name, v in environment(objects).items() if name == "ROJAK_LEASE_NAME"]
    (role,) = [obj for obj in objects if obj["kind"] == "Role"]
    assert role["rules"][1]["resourceNames"] == [lease]
    (subject,) = next(obj for obj in objects if obj["kind"] == "ClusterRoleBinding")["subjects"]
    assert (subject["name"], subject["namespace"]) == ("second-rojak-operator", "elsewhere")


def test_chart_and_program_have_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == project["version"]
    assert Version(chart["version"]) == Version(project["version"])


def test_the_schema_allows_no_unknown_value() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())

    def open_objects(node: dict[str, Any], path: str) -> Iterator[str]:
        if "properties" in node:
            if node.get("additionalProperties") is not False:
                yield path
            for name, inner in node["properties"].items():
                yield from open_objects(inner, f"{path}.{name}")

    assert list(open_objects(schema, "")) == []


@pytest.mark.parametrize("snippet", re.findall(r"```yaml\n# values.yaml\n(.*?)```", INSTALL.read_text(), re.DOTALL))
def test_values_in_the_guide_are_accepted(helm: Helm, snippet: str, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(snippet)
    # The image is given by the command that the guide begins with.
    assert render(helm, values, settings=[IMAGE])


def test_commands_in_the_guide_set_values_that_exist() -> None:
    known = {value.path for value in read_values()}
    named = set(re.findall(r"--set ([\w.]+)=", INSTALL.read_text())) | set(
        re.findall(r"`((?:temporal|operator|workers|crds|rbac|metrics|networkPolicy|workerPool|devTemporal|image)\.[\w.]+)",
                   INSTALL.read_text())
    )  # fmt: skip
    assert named
    assert {name for name in named if name not in known and not any(k.startswith(f"{name}.") for k in known)} == set()
