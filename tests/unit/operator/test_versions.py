"""Versions of a pool's code: what makes a new one, which ones stay, and what is told of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from rojak.manifests import WorkerSpec
from rojak.workerconfig import TemporalEntry
from rojak_operator.desired.conditions import Finding
from rojak_operator.desired.defaults import Defaults
from rojak_operator.desired.names import BUILD_ID, version_name
from rojak_operator.desired.reasons import ConditionType, Reason
from rojak_operator.desired.rollout import read_rollout, ready_finding
from rojak_operator.desired.scaling import Scaling
from rojak_operator.desired.versions import (
    Routing,
    Version,
    VersionState,
    build_id_of,
    is_kept,
    versions_status,
    versions_that_stay,
)
from rojak_operator.handlers.versions import Situation, version_findings

NOW = datetime(2026, 12, 24, 12, 0, tzinfo=UTC)
CODE: dict[str, Any] = {"image": "registry:5000/shop/agents:v2.4.1", "versioning": {"mode": "Managed"}}


def build_id(spec: dict[str, Any], functions: dict[str, str] | None = None) -> str:
    return build_id_of(WorkerSpec.model_validate(spec), functions or {}, Defaults(image="rojak:2"))


class TestBuildIds:
    def test_they_begin_with_the_images_tag_and_fit_into_a_label(self) -> None:
        assert build_id(CODE).startswith("v2.4.1-")
        long = build_id(CODE | {"image": "agents:" + "x" * 128})
        assert len(long) <= 63
        assert build_id(CODE | {"image": "agents@sha256:" + "a" * 64}).isalnum()
        assert build_id(CODE | {"image": "registry:5000/agents"}).isalnum()

    @pytest.mark.parametrize(
        "change",
        [
            {"image": "registry:5000/shop/agents:v2.4.2"},
            {"functions": {"modules": ["tools"]}},
            {"podTemplate": {"spec": {"containers": [{"name": "worker", "command": ["mine"]}]}}},
            {"podTemplate": {"spec": {"containers": [{"name": "worker", "image": "other:1"}]}}},
            {"podTemplate": {"spec": {"initContainers": [{"name": "fetch", "image": "code:1"}]}}},
        ],
    )
    def test_other_code_is_another_version(self, change: dict[str, Any]) -> None:
        assert build_id(CODE | change) != build_id(CODE)

    @pytest.mark.parametrize(
        "change",
        [
            {"replicas": 4},
            {"resources": {"requests": {"cpu": "1"}}},
            {"env": [{"name": "A", "value": "b"}]},
            {"gracefulShutdown": "1m"},
            {"podTemplate": {"metadata": {"labels": {"team": "blue"}}}},
        ],
    )
    def test_another_setting_is_none(self, change: dict[str, Any]) -> None:
        assert build_id(CODE | change) == build_id(CODE)

    def test_functions_of_a_config_map_are_code(self) -> None:
        assert build_id(CODE, {"a.py": "1"}) != build_id(CODE, {"a.py": "2"})

    def test_a_manifest_may_name_its_version(self) -> None:
        spec = CODE | {"versioning": {"mode": "Managed", "buildID": "spring"}}
        assert build_id(spec, {"a.py": "1"}) == "spring"


def test_names_of_versions_are_labels() -> None:
    for name in ("a", "a" * 63):
        names = {version_name("WorkerPool", name, build) for build in ("v1", "v2")}
        assert len(names) == 2
        assert all(len(found) <= 63 for found in names)


def routing(current: str, **states: str | VersionState) -> Routing:
    known = {name: state if isinstance(state, VersionState) else VersionState(state) for name, state in states.items()}
    return Routing(current, known)


DRAINED_A_MINUTE_AGO = VersionState("Drained", "2026-12-24T11:59:00Z")


class TestWhichVersionsStay:
    def stay(self, existing: set[str], target: str, seen: Routing | None, keep: str = "30s") -> set[str]:
        return versions_that_stay(existing, target, seen, keep, NOW)[0]

    def test_all_while_temporal_was_not_asked(self) -> None:
        assert self.stay({"", "v1", "v2"}, "v2", None) == {"", "v1"}

    def test_the_current_one_until_another_is(self) -> None:
        assert self.stay({"v1", "v2"}, "v2", routing("v1", v1="Current")) == {"v1"}
        assert self.stay({"", "v1"}, "v1", routing("")) == {""}

    def test_those_that_have_sessions(self) -> None:
        assert self.stay({"v1", "v2"}, "v2", routing("v2", v1="Draining", v2="Current")) == {"v1"}

    def test_one_that_is_drained_for_as_long_as_is_said(self) -> None:
        seen = routing("v2", v1=DRAINED_A_MINUTE_AGO, v2="Current")
        assert self.stay({"v1", "v2"}, "v2", seen) == set()
        assert versions_that_stay({"v1", "v2"}, "v2", seen, "90s", NOW) == ({"v1"}, 30.0)

    def test_a_drained_one_while_the_wanted_one_is_not_current(self) -> None:
        seen = routing("v2", v1=DRAINED_A_MINUTE_AGO, v2="Current")
        assert self.stay({"v1", "v2", "v3"}, "v3", seen) == {"v1", "v2"}

    def test_one_that_never_got_work_goes(self) -> None:
        assert self.stay({"v1", "v2", "v3"}, "v3", routing("v1", v1="Current", v2="Inactive")) == {"v1"}
        assert self.stay({"v1", "v2", "v3"}, "v3", routing("v1", v1="Current")) == {"v1"}

    def test_one_of_which_temporal_still_thinks_as_current(self) -> None:
        assert self.stay({"v1", "v2"}, "v2", routing("v2", v1="Current", v2="Current")) == {"v1"}

    def test_workers_without_a_version_go_when_a_version_is_current(self) -> None:
        assert self.stay({"", "v1"}, "v1", routing("v1", v1="Current")) == set()

    def test_versions_stay_beside_workers_without_one_until_they_are_drained(self) -> None:
        assert self.stay({"", "v1"}, "", routing("", v1="Draining")) == {"v1"}
        assert self.stay({"", "v1"}, "", routing("", v1=DRAINED_A_MINUTE_AGO)) == set()


@pytest.mark.parametrize(
    ("kind", "build", "kept", "expected"),
    [
        ("Deployment", "v1", {"v1"}, True),
        ("HorizontalPodAutoscaler", "v1", {"v1"}, True),
        ("Deployment", "v1", {"v2", ""}, False),
        ("Deployment", "", {""}, True),
        ("HorizontalPodAutoscaler", "", {""}, False),
    ],
)
def test_what_belongs_to_a_version_stays_with_it(kind: str, build: str, kept: set[str], expected: bool) -> None:
    labels = {BUILD_ID: build} if build else {}
    assert is_kept({"kind": kind, "metadata": {"labels": labels}}, kept) is expected


def test_the_status_has_the_versions_that_have_workers_or_sessions() -> None:
    seen = routing("v3", v0="Drained", v1=DRAINED_A_MINUTE_AGO, v2="Draining", v3="Current", v4="Inactive")
    assert versions_status({"": "p", "v1": "p-1", "v3": "p-3", "v5": "p-5"}, seen) == [
        {"buildID": "v1", "state": "Drained", "deployment": "p-1", "drainedSince": "2026-12-24T11:59:00Z"},
        {"buildID": "v2", "state": "Draining"},
        {"buildID": "v3", "state": "Current", "deployment": "p-3"},
        {"buildID": "v5", "state": "Inactive", "deployment": "p-5"},
    ]


class TestReplicas:
    SPEC = WorkerSpec.model_validate({"autoscaling": {"scaler": "KEDA", "minReplicas": 0, "maxReplicas": 5}})

    def test_a_new_version_begins_with_as_many_as_it_takes_over_from(self) -> None:
        scaling = Scaling(has_keda=True, replicas_before=4)
        assert scaling.replicas_for(self.SPEC, TemporalEntry(), Version("v2")) == 4
        assert Scaling(has_keda=True, replicas_before=9).replicas_for(self.SPEC, TemporalEntry(), Version("v2")) == 5

    def test_a_version_that_is_not_current_has_a_worker(self) -> None:
        assert Scaling(has_keda=True).replicas_for(self.SPEC, TemporalEntry(), Version("v2")) == 1
        assert Scaling(has_keda=True).replicas_for(self.SPEC, TemporalEntry(), Version("v2", is_current=True)) == 0
        assert Scaling(has_keda=True).replicas_for(self.SPEC, TemporalEntry()) == 0


class TestFindings:
    def find(self, *, ready: int, wanted: int = 2, current: str | None = "v1", problem: Finding | None = None) -> Any:
        live = {
            "metadata": {"annotations": {}, "namespace": "shop"},
            "spec": {"replicas": wanted, "selector": {"matchLabels": {}}},
            "status": {
                "observedGeneration": 0,
                "replicas": wanted,
                "updatedReplicas": wanted,
                "availableReplicas": ready,
            },
        }
        rollout = read_rollout(live, live)
        situation = Situation("shop/p", "v2", {"v1": "p-1", "v2": "p-2"}, None, problem, current, frozenset(), None)
        findings = version_findings(situation, rollout, [rollout.progressing, ready_finding(rollout)])
        return {f.type: (f.status, f.reason, f.message) for f in findings}[ConditionType.READY]

    def test_a_version_that_is_not_current_is_not_ready(self) -> None:
        status, reason, message = self.find(ready=2)
        assert (status, reason) == (False, Reason.VERSION_NOT_CURRENT)
        assert message == "version v2 is ready and becomes the current one; version v1 goes on meanwhile"

    def test_nor_is_one_whose_pods_are_not(self) -> None:
        status, reason, message = self.find(ready=1)
        assert (status, reason) == (False, Reason.WORKERS_UNAVAILABLE)
        assert message.endswith("; version v1 goes on meanwhile")

    def test_the_current_one_is_ready_as_its_pods_are(self) -> None:
        assert self.find(ready=2, current="v2")[:2] == (True, Reason.AVAILABLE)

    def test_one_without_workers_cannot_become_current(self) -> None:
        assert self.find(ready=0, wanted=0)[:2] == (False, Reason.VERSION_NOT_CURRENT)
        assert self.find(ready=0, wanted=0, current="v2")[:2] == (True, Reason.SCALED_TO_ZERO)

    def test_what_temporal_says_is_told(self) -> None:
        problem = Finding(ConditionType.PROGRESSING, False, Reason.TEMPORAL_REFUSED, "not yours")
        status, reason, message = self.find(ready=2, problem=problem)
        assert (status, reason) == (False, Reason.TEMPORAL_REFUSED)
        assert "could not be made the current one: not yours; version v1 goes on" in message
        assert self.find(ready=2, current="v2", problem=problem)[0] is True
