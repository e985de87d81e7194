"""The pure parts: merging, drift, references, conditions, rollouts, who leads, request limits, names, settings."""

from __future__ import annotations

from typing import Any

import pytest

from rojak.types.errors import ConfigurationError
from rojak_operator.desired.conditions import (
    Finding,
    merge_conditions,
    ready_unless,
    resolved_refs,
    transitions,
)
from rojak_operator.desired.drift import find_drift, quantity_of
from rojak_operator.desired.merge import strategic_merge
from rojak_operator.desired.names import object_name
from rojak_operator.desired.reasons import ConditionType, Reason
from rojak_operator.desired.references import Missing, Reference, references_of
from rojak_operator.desired.rollout import read_rollout, ready_finding
from rojak_operator.leader import Verdict, judge
from rojak_operator.limits import TokenBucket
from rojak_operator.reporter import merge_patch
from rojak_operator.settings import OperatorSettings


class TestStrategicMerge:
    def test_named_lists_are_merged_item_by_item(self) -> None:
        base = {"containers": [{"name": "worker", "image": "a", "env": [{"name": "X", "value": "1"}]}]}
        patch = {
            "containers": [
                {"name": "worker", "env": [{"name": "Y", "value": "2"}, {"name": "X", "value": "3"}]},
                {"name": "sidecar", "image": "b"},
            ]
        }
        assert strategic_merge(base, patch) == {
            "containers": [
                {"name": "worker", "image": "a", "env": [{"name": "X", "value": "3"}, {"name": "Y", "value": "2"}]},
                {"name": "sidecar", "image": "b"},
            ]
        }

    def test_other_lists_are_replaced(self) -> None:
        assert strategic_merge({"args": ["a", "b"]}, {"args": ["c"]}) == {"args": ["c"]}

    def test_null_removes(self) -> None:
        assert strategic_merge({"a": 1, "b": {"c": 2, "d": 3}}, {"a": None, "b": {"c": None}}) == {"b": {"d": 3}}

    def test_directives(self) -> None:
        base = {"volumes": [{"name": "tmp"}, {"name": "x"}], "securityContext": {"runAsNonRoot": True}}
        patch = {
            "volumes": [{"name": "tmp", "$patch": "delete"}],
            "securityContext": {"$patch": "replace", "runAsUser": 0},
        }
        assert strategic_merge(base, patch) == {"volumes": [{"name": "x"}], "securityContext": {"runAsUser": 0}}

    def test_the_base_stays_as_it_is(self) -> None:
        base = {"containers": [{"name": "worker", "env": []}]}
        strategic_merge(base, {"containers": [{"name": "worker", "env": [{"name": "X"}]}]})
        assert base == {"containers": [{"name": "worker", "env": []}]}


class TestDrift:
    @pytest.mark.parametrize(
        ("desired", "live", "paths"),
        [
            ({"a": 1}, {"a": 1, "b": 2}, []),
            ({"a": 1}, {"a": 2}, [".a"]),
            ({"a": {"b": 1}}, {}, [".a"]),
            ({"a": {}}, {}, []),
            ({"a": []}, {}, []),
            ({"a": False}, {}, []),
            ({"a": True}, {}, [".a"]),
            ({"args": ["x"]}, {"args": ["x", "y"]}, [".args"]),
            ({"env": [{"name": "A", "value": "1"}]}, {"env": [{"name": "B"}, {"name": "A", "value": "1"}]}, []),
            ({"env": [{"name": "A", "value": "1"}]}, {"env": [{"name": "A", "value": "2"}]}, [".env[A].value"]),
            ({"env": [{"name": "A"}]}, {"env": []}, [".env[A]"]),
            ({"limits": {"cpu": "0.5"}}, {"limits": {"cpu": "500m"}}, []),
            ({"limits": {"memory": "1Gi"}}, {"limits": {"memory": "1024Mi"}}, []),
            ({"limits": {"memory": "1Gi"}}, {"limits": {"memory": "2Gi"}}, [".limits.memory"]),
        ],
    )
    def test_what_we_said_and_is_not_so(self, desired: Any, live: Any, paths: list[str]) -> None:
        assert list(find_drift(desired, live)) == paths

    def test_quantities(self) -> None:
        assert quantity_of("1k") == 1000
        assert quantity_of(2) == 2
        assert quantity_of("nonsense") is None


class TestReferences:
    def test_they_are_found_wherever_they_are(self) -> None:
        spec = {
            "workerPoolRef": {"name": "pool"},
            "model": {"apiKey": {"secretKeyRef": {"name": "openai", "key": "k"}}},
            "handoffs": [{"agentRef": {"name": "b"}}],
            "tools": [{"mcp": {"serverRef": {"name": "m"}}}],
            "worker": {
                "imagePullSecrets": [{"name": "pull"}],
                "envFrom": [{"configMapRef": {"name": "env"}}],
                "podTemplate": {"spec": {"volumes": [{"secret": {"secretName": "tls", "optional": True}}]}},
            },
        }
        assert references_of(spec) == [
            Reference("WorkerPool", "pool"),
            Reference("Secret", "openai", "k"),
            Reference("Secret", "pull"),
            Reference("Secret", "tls", optional=True),
            Reference("ConfigMap", "env"),
            Reference("Agent", "b"),
            Reference("MCPServer", "m"),
        ]

    def test_free_data_holds_none(self) -> None:
        assert references_of({"contextVariables": {"secretKeyRef": {"name": "x"}}}) == []


class TestConditions:
    def test_the_time_changes_with_the_status_alone(self) -> None:
        old = [{"type": "Ready", "status": "False", "lastTransitionTime": "then", "reason": "A"}]
        same = merge_conditions(
            old, [Finding(ConditionType.READY, False, Reason.ROLLOUT_STUCK)], generation=2, now="now"
        )
        assert (same[0]["lastTransitionTime"], same[0]["observedGeneration"]) == ("then", 2)
        other = merge_conditions(old, [Finding(ConditionType.READY, True, Reason.AVAILABLE)], generation=2, now="now")
        assert other[0]["lastTransitionTime"] == "now"
        assert transitions(old, other) == other

    def test_what_is_missing_is_listed(self) -> None:
        missing = [
            Missing(Reference("Secret", "s", "k"), "SecretKeyNotFound"),
            Missing(Reference("Agent", "b"), "AgentNotFound"),
        ]
        finding = resolved_refs(missing)
        assert finding.reason == Reason.SECRET_KEY_NOT_FOUND
        assert finding.message == "Secret 's' has no key 'k'; Agent 'b' does not exist"
        blocked = ready_unless(finding)
        assert blocked is not None
        assert blocked.reason == Reason.REFS_NOT_RESOLVED


def deployment(status: dict[str, Any], *, generation: int = 2, hashed: str = "h", replicas: int = 2) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": "ns",
            "generation": generation,
            "annotations": {"rojak.dev/desired-hash": hashed},
        },
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"a": "b"}}},
        "status": {"observedGeneration": 2, **status},
    }


class TestRollout:
    @pytest.mark.parametrize(
        ("live", "ready", "progressing"),
        [
            (deployment({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}), "Available", "RolloutComplete"),
            # Pods of the old revision are available: that does not count.
            (
                deployment({"replicas": 3, "updatedReplicas": 1, "availableReplicas": 2}),
                "RolloutInProgress",
                "RolloutInProgress",
            ),
            (
                deployment({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, generation=3),
                "RolloutInProgress",
                "RolloutInProgress",
            ),
            (
                deployment({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, hashed="old"),
                "RolloutInProgress",
                "RolloutInProgress",
            ),
            (
                deployment({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 1}),
                "WorkersUnavailable",
                "RolloutComplete",
            ),
            (deployment({}, replicas=0), "ScaledToZero", "RolloutComplete"),
            (
                deployment(
                    {
                        "replicas": 2,
                        "updatedReplicas": 1,
                        "conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}],
                    }
                ),
                "RolloutStuck",
                "RolloutStuck",
            ),
        ],
    )
    def test_ready_means_the_current_revision(self, live: dict[str, Any], ready: str, progressing: str) -> None:
        rollout = read_rollout(live, deployment({}))
        assert (ready_finding(rollout).reason, rollout.progressing.reason) == (ready, progressing)


class TestLeader:
    @pytest.mark.parametrize(
        ("holder", "unchanged_for", "verdict"),
        [
            ("me", 0, Verdict.RENEW),
            ("other", 14, Verdict.WAIT),
            ("other", 15, Verdict.TAKE),
            ("", 0, Verdict.TAKE),
        ],
    )
    def test_a_lease_is_taken_when_it_is_free(self, holder: str, unchanged_for: float, verdict: Verdict) -> None:
        lease = {"spec": {"holderIdentity": holder, "leaseDurationSeconds": 15}}
        assert judge(lease, "me", unchanged_for=unchanged_for, seconds=5) is verdict

    def test_without_a_lease_one_is_made(self) -> None:
        assert judge(None, "me", unchanged_for=0, seconds=5) is Verdict.CREATE


def test_a_bucket_lets_a_burst_through_and_then_so_many_a_second() -> None:
    now = 0.0
    bucket = TokenBucket(2.0, burst=2, clock=lambda: now)
    assert [bucket.reserve() for _ in range(4)] == [0, 0, 0.5, 1.0]
    now = 10.0
    assert bucket.reserve() == 0


def test_names_differ_by_kind_and_fit_into_a_label() -> None:
    assert {object_name(kind, "a") for kind in ("Agent", "WorkerPool", "MCPServer")} == {"a-agent", "a-pool", "a-mcp"}
    long = [object_name("Agent", "x" * 62 + end) for end in "ab"]
    assert long[0] != long[1]
    assert all(len(name) <= 63 for name in long)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ROJAK_RESYNC", "often", "no number"),
        ("ROJAK_WORKERS", "0", "1 is the least"),
        ("ROJAK_LEADER_ELECTION", "maybe", "true or false"),
        ("ROJAK_LOG_FORMAT", "xml", "json, text"),
        ("ROJAK_WORKER_API_KEY_SECRET", "cloud", "<name of the Secret>/<key>"),
    ],
)
def test_a_setting_without_sense_is_named(variable: str, value: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=variable) as caught:
        OperatorSettings.from_environment({variable: value})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "patch"),
    [
        ({}, {"a": 1}, {"a": 1}),
        ({"a": 1, "b": 2}, {"a": 1}, {"b": None}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": None}}),
        ({"a": [1, 2]}, {"a": [1]}, {"a": [1]}),
        ({"a": {"b": 1}}, {"a": {"b": 1}}, {}),
    ],
)
def test_a_status_is_patched_by_its_difference(old: Any, new: Any, patch: Any) -> None:
    assert merge_patch(old, new) == patch
