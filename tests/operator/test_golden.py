"""Manifests in, objects out: every case in tests/operator/golden, and each object fits Kubernetes' strict schemas.

``ROJAK_UPDATE_GOLDEN=1 pytest tests/operator/test_golden.py`` writes what is rendered now; review the difference.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.helm.chart import problems_of
from rojak.manifests import Agent, MCPServer, WorkerPool, WorkerSpec
from rojak_operator.desired.defaults import Defaults, TemporalDefaults
from rojak_operator.desired.drift import find_drift
from rojak_operator.desired.mcp_server import endpoint_of, render_mcp_server
from rojak_operator.desired.references import data_hashes, references_of
from rojak_operator.desired.scaling import Scaling
from rojak_operator.desired.versions import Version, build_id_of, is_managed
from rojak_operator.desired.worker import DesiredWorker, WorkerInputs, functions_map, render_worker

FOLDER = Path(__file__).parent / "golden"
CASES = sorted(path.stem for path in FOLDER.glob("*.yaml") if not path.stem.endswith(".out"))
#: What KEDA's temporal scaler takes, as of 2.21 (pkg/scalers/temporal_scaler.go).
OF_TRIGGERS = {"endpoint", "namespace", "taskQueue", "targetQueueSize", "queueTypes", "tlsServerName"}
OF_TRIGGERS |= {"workerDeploymentName", "workerDeploymentBuildId"}
OF_LOGINS = {"apiKey", "cert", "key", "ca"}
DEFAULTS = Defaults(image="rojak:test", temporal=TemporalDefaults(address="temporal:7233"))


class Everything:
    """Everything that is referred to exists."""

    def exists(self, kind: str, name: str) -> bool:
        return True

    def has_key(self, kind: str, name: str, key: str) -> bool:
        return True

    def data_hash(self, kind: str, name: str) -> str:
        return f"hash-of-{name}"


def render(documents: list[dict[str, Any]]) -> Iterator[DesiredWorker | list[dict[str, Any]]]:
    case = next((d for d in documents if d["kind"] == "Case"), {})
    agents = [Agent.parse(d) for d in documents if d["kind"] == "Agent"]
    servers = [MCPServer.parse(d) for d in documents if d["kind"] == "MCPServer"]
    maps = {d["metadata"]["name"]: d["data"] for d in documents if d["kind"] == "ConfigMap"}
    scaling = Scaling(
        case.get("hasKeda", False),
        case.get("liveReplicas"),
        case.get("scaledByOther", False),
        case.get("replicasBefore", 0),
    )
    owners: list[tuple[Agent | WorkerPool, list[Agent]]] = [(a, [a]) for a in agents if a.spec.worker_pool_ref is None]
    owners += [
        (pool, [a for a in agents if a.spec.worker_pool_ref is not None])
        for pool in [WorkerPool.parse(d) for d in documents if d["kind"] == "WorkerPool"]
    ]
    for owner, members in owners:
        spec = owner.spec if isinstance(owner, WorkerPool) else owner.spec.worker or WorkerSpec()
        version = None
        if is_managed(spec):
            functions = maps.get(functions_map(spec) or "", {})
            version = Version(build_id_of(spec, functions, DEFAULTS), case.get("isCurrent", False))
        references = [r for a in members for r in references_of(a.spec.to_wire())]
        yield render_worker(
            WorkerInputs(
                owner=owner,
                agents=members,
                defaults=DEFAULTS,
                mcp_servers=servers,
                mcp_urls={s.name: endpoint_of(s) or "" for s in servers},
                config_maps=maps,
                references=data_hashes(references, Everything()),
                scaling=scaling,
                version=version,
            )
        )
    for server in servers:
        yield render_mcp_server(server, DEFAULTS, data_hashes(references_of(server.spec.to_wire()), Everything()))


def rendered(case: str) -> dict[str, Any]:
    documents = list(yaml.safe_load_all((FOLDER / f"{case}.yaml").read_text()))
    objects: list[dict[str, Any]] = []
    problems: list[str] = []
    for result in render(documents):
        if isinstance(result, list):
            objects += result
        else:
            objects += result.objects
            problems += [f"{problem.reason}: {problem.message}" for problem in result.problems]
    return {"objects": objects, "problems": problems}


@pytest.mark.parametrize("case", CASES)
def test_manifests_become_these_objects(case: str) -> None:
    now = rendered(case)
    path = FOLDER / f"{case}.out.yaml"
    if os.environ.get("ROJAK_UPDATE_GOLDEN"):
        path.write_text(yaml.safe_dump(now, sort_keys=False, width=120))
    assert now == yaml.safe_load(path.read_text())


@pytest.mark.parametrize("case", CASES)
def test_the_objects_fit_kubernetes_schemas(case: str) -> None:
    for obj in rendered(case)["objects"]:
        for version in ("1.30", "1.35"):
            assert problems_of(obj, version) == []


@pytest.mark.parametrize("case", CASES)
def test_keda_knows_what_its_triggers_are_told(case: str) -> None:
    """Its definition leaves these open: a name that the scaler does not know would be without effect."""
    for obj in rendered(case)["objects"]:
        if obj["kind"] == "ScaledObject":
            for trigger in obj["spec"]["triggers"]:
                assert trigger["type"] == "temporal"
                assert trigger["metadata"].keys() <= OF_TRIGGERS
                assert all(isinstance(value, str) for value in trigger["metadata"].values())
        elif obj["kind"] == "TriggerAuthentication":
            told = [entry["parameter"] for entries in obj["spec"].values() for entry in entries]
            assert set(told) <= OF_LOGINS
            assert len(told) == len(set(told))


@pytest.mark.parametrize("case", CASES)
def test_what_was_applied_is_no_drift(case: str) -> None:
    for obj in rendered(case)["objects"]:
        assert list(find_drift(obj, obj)) == []
