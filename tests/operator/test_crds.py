"""A real API server takes the CRDs, and accepts and refuses the manifests that `rojak validate` accepts and refuses."""

from __future__ import annotations

import copy
import http.client
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from dev.kubernetes import KubernetesServer
from rojak.manifests import API_VERSION, KINDS
from rojak.manifests.crds import render_crds
from rojak.manifests.documents import Document
from rojak.manifests.problems import Problem
from rojak.manifests.validation import validate
from tests.manifests import FOLDER, BadManifest, bad_manifests, good_manifests

pytestmark = pytest.mark.timeout(180)
GOOD = list(good_manifests())
BAD = [case for case in bad_manifests() if case.seen_by != "validate"]


@dataclass
class Api:
    """Asks the API server to create objects, without creating them."""

    server: KubernetesServer

    def __post_init__(self) -> None:
        context = ssl.create_default_context(cafile=str(self.server.ca_file))
        host, port = self.server.url.removeprefix("https://").split(":")
        self._connection = http.client.HTTPSConnection(host, int(port), timeout=30, context=context)

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.server.token}", "Content-Type": "application/json"}
        self._connection.request(method, path, json.dumps(body), headers)
        response = self._connection.getresponse()
        return response.status, json.load(response)

    def try_to_create(self, manifest: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        plural = KINDS[manifest["kind"]].listing.plural
        manifest = {**manifest, "metadata": {**manifest["metadata"], "namespace": "default"}}
        path = f"/apis/{API_VERSION}/namespaces/default/{plural}?dryRun=All&fieldValidation=Strict"
        return self.call("POST", path, manifest)


@pytest.fixture(scope="module")
def api(kubernetes_programs: None) -> Iterator[Api]:
    """A server of its own: where an operator works too, statuses are the operator's."""
    with KubernetesServer() as server:
        server.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(render_crds().values()))
        server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        yield Api(server)


def test_the_schemas_are_structural(api: Api) -> None:
    crds = json.loads(api.server.kubectl("get", "crds", "-o", "json"))["items"]
    ours = [crd for crd in crds if crd["spec"]["group"] == "rojak.dev"]
    assert {crd["spec"]["names"]["kind"] for crd in ours} == set(KINDS)
    for crd in ours:
        conditions = {condition["type"]: condition["status"] for condition in crd["status"]["conditions"]}
        assert conditions["NamesAccepted"] == conditions["Established"] == "True"
        assert "NonStructuralSchema" not in conditions


@pytest.mark.parametrize("manifest", GOOD, ids=lambda manifest: f"{manifest['kind']}-{manifest['metadata']['name']}")
def test_good_manifests_are_accepted(api: Api, manifest: dict[str, Any]) -> None:
    code, answer = api.try_to_create(manifest)
    assert code == 201, answer


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.name)
def test_bad_manifests_are_refused(api: Api, case: BadManifest) -> None:
    code, answer = api.try_to_create(case.manifest)
    assert code in (400, 422), answer
    if case.rule:
        assert case.message in answer["message"]


#: What people write in places where it does not belong.
WRONG: list[Any] = [None, True, 7, -1, 0.5, "", "A word!", ["x"], {}, {"x": "y"}]


def mutations(manifest: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The manifest with each part of its spec replaced by each wrong thing, or with something beside it."""

    def parts(value: Any, location: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
        yield location
        for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            yield from parts(value[key], (*location, key))

    for location in parts(manifest.get("spec", {}), ("spec",)):
        for wrong in WRONG:
            changed = copy.deepcopy(manifest)
            changed.setdefault("spec", {})
            parent: Any = changed
            for step in location[:-1]:
                parent = parent[step]
            if isinstance(parent[location[-1]], dict) and wrong == {"x": "y"}:
                parent[location[-1]] |= wrong
            else:
                parent[location[-1]] = wrong
            yield f"{location} = {wrong!r}", changed


@pytest.mark.parametrize("manifest", GOOD, ids=lambda manifest: f"{manifest['kind']}-{manifest['metadata']['name']}")
def test_both_agree_on_every_field_with_every_wrong_thing_in_it(api: Api, manifest: dict[str, Any]) -> None:
    differences = []
    for what, changed in mutations(manifest):
        problems: list[Problem] = []
        validate(KINDS[manifest["kind"]], Document("it", changed), problems)
        accepted = not [problem for problem in problems if problem.severity == "error"]
        code, answer = api.try_to_create(changed)
        assert code in (201, 400, 422), answer
        if accepted != (code == 201):
            differences.append(f"{what}: {problems or answer['message']}")
    assert differences == []


def test_people_can_live_from_kubectl(api: Api) -> None:
    kubectl = api.server.kubectl
    kubectl("create", "namespace", "people")
    kubectl("apply", "-n", "people", "-f", str(FOLDER / "good" / "minimal.yaml"))
    there = ("-n", "people")
    assert kubectl("get", "ag", *there).split()[:6] == ["NAME", "MODEL", "TOOLS", "WORKERS", "READY", "AGE"]
    assert "MESSAGE" in kubectl("get", "agents", *there, "-o", "wide")
    assert kubectl("get", "rsched", *there).splitlines()[1].split()[:3] == ["hourly", "helper", "1h"]
    found = kubectl("get", "rojak", *there, "-o", "name").split()
    assert {name.split("/")[0].split(".")[0] for name in found} == {"agent", "mcpserver", "schedule", "workerpool"}
    selected = kubectl("get", "schedules.rojak.dev", *there, "-o", "name", "--field-selector=spec.agentRef.name=helper")
    assert selected.split() == ["schedule.rojak.dev/hourly"]
    assert not kubectl("get", "schedules.rojak.dev", *there, "-o", "name", "--field-selector=spec.agentRef.name=other")
    kubectl("scale", "workerpools/shared", *there, "--replicas=3")
    assert json.loads(kubectl("get", "workerpools/shared", *there, "-o", "json"))["spec"]["replicas"] == 3
    assert "Whose protocol it speaks" in kubectl("explain", "agents.spec.model.provider")


def test_a_status_is_a_thing_of_its_own_with_conditions_that_several_may_write(api: Api) -> None:
    kubectl = api.server.kubectl
    manifest = {**next(m for m in GOOD if m["metadata"]["name"] == "helper"), "metadata": {"name": "conditions"}}
    kubectl("apply", "-f", "-", stdin=json.dumps(manifest))

    def report(manager: str, kind: str) -> None:
        condition = {"type": kind, "status": "True", "reason": "Fine", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        body = {**manifest, "status": {"conditions": [condition]}}
        del body["spec"]
        flags = ("--server-side", "--subresource=status", f"--field-manager={manager}")
        kubectl("apply", *flags, "-f", "-", stdin=json.dumps(body))

    report("one", "Ready")
    report("other", "Accepted")
    answer = json.loads(kubectl("get", "agents/conditions", "-o", "json"))
    assert {condition["type"] for condition in answer["status"]["conditions"]} == {"Ready", "Accepted"}
    assert answer["metadata"]["generation"] == 1
    kubectl("wait", "--for=condition=Ready", "agents/conditions", "--timeout=5s")
