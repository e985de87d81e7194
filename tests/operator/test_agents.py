"""An Agent becomes a Deployment that runs it, and its status says how far that is."""

from __future__ import annotations

import json
from typing import Any

from rojak_operator.resources import DEPLOYMENT
from tests.operator.cluster import Cluster, OperatorProcess, condition, conditions

AGENT: dict[str, Any] = {
    "instructions": "You help.",
    "model": {"provider": "openai", "name": "gpt-x", "apiKey": {"secretKeyRef": {"name": "openai", "key": "key"}}},
}


async def with_secret(cluster: Cluster, name: str = "openai", value: str = "a2V5") -> None:
    await cluster.apply("Secret", name, data={"key": value})


async def test_an_agent_gets_a_configuration_and_a_deployment(cluster: Cluster) -> None:
    await with_secret(cluster)
    agent = await cluster.apply("Agent", "triage", AGENT)
    await cluster.until_condition("Agent", "triage", "Programmed", "True")
    config_map = await cluster.get("ConfigMap", "triage-agent")
    assert config_map is not None
    config = json.loads(config_map["data"]["worker.json"])
    assert [entry["taskQueue"] for entry in config["agents"]] == [f"{cluster.namespace}.triage"]
    assert "a2V5" not in json.dumps(config_map)
    deployment = await cluster.get("Deployment", "triage-agent")
    assert deployment is not None
    for owned in (config_map, deployment):
        owner = owned["metadata"]["ownerReferences"][0]
        assert (owner["uid"], owner["controller"]) == (agent["metadata"]["uid"], True)


async def test_an_agent_is_ready_when_its_current_revision_is_available(cluster: Cluster) -> None:
    await with_secret(cluster)
    await cluster.apply("Agent", "triage", AGENT)
    agent = await cluster.until_condition("Agent", "triage", "Ready", "False", "RolloutInProgress")
    assert conditions(agent) == {
        "Accepted": "True",
        "ResolvedRefs": "True",
        "Programmed": "True",
        "Progressing": "True",
        "Ready": "False",
    }
    await cluster.finish_rollout("triage-agent")
    agent = await cluster.until_condition("Agent", "triage", "Ready", "True", "Available")
    assert agent["status"]["workers"] == "1/1"
    assert agent["status"]["taskQueue"] == f"{cluster.namespace}.triage"

    await cluster.apply("Agent", "triage", AGENT | {"instructions": "You help a lot."})
    agent = await cluster.until_condition("Agent", "triage", "Ready", "False", "RolloutInProgress")
    assert agent["status"]["readyReplicas"] == 0
    await cluster.finish_rollout("triage-agent")
    await cluster.until_condition("Agent", "triage", "Ready", "True")


async def test_a_missing_secret_is_said_and_mended_when_it_appears(cluster: Cluster) -> None:
    await cluster.apply("Agent", "triage", AGENT)
    agent = await cluster.until_condition("Agent", "triage", "ResolvedRefs", "False", "SecretNotFound")
    assert "'openai'" in condition(agent, "ResolvedRefs")["message"]
    assert condition(agent, "Ready")["reason"] == "RefsNotResolved"
    await cluster.apply("Secret", "openai", data={"other": "a2V5"})
    await cluster.until_condition("Agent", "triage", "ResolvedRefs", "False", "SecretKeyNotFound")
    await with_secret(cluster)
    await cluster.until_condition("Agent", "triage", "ResolvedRefs", "True")


async def test_a_changed_secret_rolls_the_pods(cluster: Cluster) -> None:
    await with_secret(cluster)
    await cluster.apply("Agent", "triage", AGENT)
    await cluster.until_condition("Agent", "triage", "Programmed", "True")
    before = await cluster.get("Deployment", "triage-agent")
    assert before is not None
    await with_secret(cluster, value="bmV3")
    after = await cluster.until("Deployment", "triage-agent", lambda obj: obj["metadata"]["generation"] > 1)
    hashes = [
        obj["spec"]["template"]["metadata"]["annotations"]["rojak.dev/references-hash"] for obj in (before, after)
    ]
    assert hashes[0] != hashes[1]


async def test_a_deployment_that_was_edited_is_mended_and_counted(cluster: Cluster, operator: OperatorProcess) -> None:
    await with_secret(cluster)
    await cluster.apply("Agent", "triage", AGENT)
    await cluster.until_condition("Agent", "triage", "Programmed", "True")
    counted = await operator.metric("rojak_operator_drift_total", kind="Deployment")
    live = await cluster.get("Deployment", "triage-agent")
    assert live is not None
    path = "/spec/template/spec/containers/0/image"
    await cluster.kube.json_patch(
        DEPLOYMENT, cluster.namespace, "triage-agent", [{"op": "replace", "path": path, "value": "evil"}]
    )
    image = live["spec"]["template"]["spec"]["containers"][0]["image"]
    await cluster.until(
        "Deployment",
        "triage-agent",
        lambda obj: obj["spec"]["template"]["spec"]["containers"][0]["image"] == image,
    )
    assert await operator.metric("rojak_operator_drift_total", kind="Deployment") > counted


async def test_a_deployment_that_was_deleted_comes_back(cluster: Cluster) -> None:
    await with_secret(cluster)
    await cluster.apply("Agent", "triage", AGENT)
    before = await cluster.until("Deployment", "triage-agent", lambda obj: True)
    await cluster.until_condition("Agent", "triage", "Programmed", "True")
    await cluster.delete("Deployment", "triage-agent")
    await cluster.until("Deployment", "triage-agent", lambda obj: obj["metadata"]["uid"] != before["metadata"]["uid"])
