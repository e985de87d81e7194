"""From manifests to what should run on a laptop."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from rojak.laptop.environment import agents_without_key
from rojak.laptop.plan import Plan, PlanError
from rojak.laptop.planner import make_plan
from rojak.laptop.secrets import LaptopSecrets
from rojak.manifests import Key, load

TEMPORAL = {"TEMPORAL_ADDRESS": "localhost:7233"}
MODEL = "{provider: openai, name: m, apiKey: {secretKeyRef: {name: openai, key: api-key}}}"


def agent(name: str, more: str = "", model: str = MODEL) -> str:
    return f"""---
apiVersion: rojak.dev/v1alpha1
kind: Agent
metadata: {{name: {name}}}
spec:
  instructions: Be {name}.
  model: {model}
{more}
"""


def resource(kind: str, name: str, spec: str) -> str:
    return f"---\napiVersion: rojak.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"


def plan(
    folder: Path,
    *texts: str,
    environ: Mapping[str, str] | None = None,
    scripts: Mapping[Key, Mapping[str, str]] | None = None,
) -> Plan:
    (folder / "all.yaml").write_text("".join(texts))
    bundle = load([folder])
    return make_plan(
        bundle,
        LaptopSecrets(bundle.secrets, {"OPENAI_API_KEY": "k"} if environ is None else environ, {}),
        temporal=TEMPORAL,
        has_attributes=True,
        script_urls=scripts or {},
        owner="dev:here",
    )


def test_agents_of_a_pool_share_a_worker_and_others_have_their_own(tmp_path: Path) -> None:
    made = plan(
        tmp_path,
        resource("WorkerPool", "shared", "{maxConcurrentCalls: 7}"),
        agent("a", "  workerPoolRef: {name: shared}"),
        agent("b", "  workerPoolRef: {name: shared}"),
        agent("c"),
        agent("shared"),
    )
    assert {name: pool.agents for name, pool in made.pools.items()} == {
        "default/c": ("c",),
        "default/shared (agent)": ("shared",),
        "default/shared": ("a", "b"),
    }
    pool = made.pools["default/shared"]
    assert pool.task_queues == ("default.a", "default.b")
    assert pool.config.max_concurrent_calls == 7
    assert pool.environ == {"ROJAK_SECRET_OPENAI__API_KEY": "k", **TEMPORAL}
    assert "'k'" not in repr(pool)


def test_a_change_is_one_of_the_pools_that_it_concerns(tmp_path: Path) -> None:
    with_tool = '  tools: [{function: {name: "tools:f"}}]'
    (tmp_path / "tools.py").write_text("def f(): return 1\n")

    def digests(text: str = "Be b.") -> dict[str, str]:
        made = plan(tmp_path, agent("a", with_tool), agent("b").replace("Be b.", text))
        return {name.split("/")[1]: pool.digest for name, pool in made.pools.items()}

    before = digests()
    assert digests() == before
    assert digests("Be c.")["a"] == before["a"]
    assert digests("Be c.")["b"] != before["b"]
    # Code concerns those that have functions; tests and scripts nobody.
    (tmp_path / "tools.py").write_text("def f(): return 2\n")
    (tmp_path / "test_tools.py").write_text("")
    (tmp_path / "model_script.py").write_text("")
    after = digests()
    assert after["a"] != before["a"]
    assert after["b"] == before["b"]


def test_all_that_is_missing_is_said_at_once_with_the_remedy(tmp_path: Path) -> None:
    other = MODEL.replace("name: openai", "name: other")
    value = "{name: X, valueFrom: {secretKeyRef: {name: db, key: url}}}"
    env = f"  worker: {{env: [{value}], envFrom: [{{secretRef: {{name: s}}}}]}}"
    with pytest.raises(PlanError) as caught:
        plan(
            tmp_path, agent("a"), agent("b", env, other), agent("c", model="{provider: anthropic, name: m}"), environ={}
        )
    text = str(caught.value)
    assert "Agent/a needs key 'api-key' of Secret 'openai': set the environment variable OPENAI_API_KEY" in text
    assert "OTHER_API_KEY" in text
    assert "key 'url' of Secret 'db'" in text
    assert "DB_URL" in text
    assert "Secret 's' of envFrom is not among the files" in text
    assert "Agent/c has no API key: set ANTHROPIC_API_KEY" in text


def test_a_script_takes_the_place_of_the_models_and_needs_no_key(tmp_path: Path) -> None:
    urls = {"openai": "http://here/v1", "anthropic": "http://here"}
    scripts = {Key("default", name): urls for name in ("a", "b")}
    bedrock = agent("b", model="{provider: bedrock, name: m}")
    made = plan(tmp_path, agent("a"), bedrock, environ={}, scripts=scripts)
    models = {name: pool.config.agents[0].spec.model for name, pool in made.pools.items()}
    assert models["default/a"].base_url == "http://here/v1"
    assert (models["default/b"].provider, models["default/b"].base_url) == ("anthropic", "http://here")
    assert set(made.scripted) == {"a", "b"}
    bundle = load([tmp_path])
    assert [found.name for found in agents_without_key(bundle, LaptopSecrets({}, {}, {}))] == ["a"]


def test_mcp_servers_are_found_from_anywhere_and_an_image_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text("")
    tools = (
        "  tools: [{mcp: {serverRef: {name: one}}}, {mcp: {serverRef: {name: two}}}, {mcp: {serverRef: {name: three}}}]"
    )
    made = plan(
        tmp_path,
        resource("MCPServer", "one", "{managed: {command: [python, server.py], args: [--flag]}}"),
        resource("MCPServer", "two", "{managed: {command: [serve], transport: StreamableHTTP, port: 8123}}"),
        resource("MCPServer", "three", "{managed: {image: some/image, transport: StreamableHTTP, port: 80}}"),
        agent("a", tools),
    )
    one, two = made.pools["default/a"].config.mcp_servers
    assert one.command == ["python"]
    assert one.args == [str(tmp_path / "server.py"), "--flag"]
    assert two.url == "http://127.0.0.1:8123/mcp"
    assert [server.kind for server in made.servers.values()] == ["stdio", "http"]
    assert any("MCPServer/three is an image" in note for note in made.notes)


def test_what_is_for_clusters_is_passed_over_with_a_note(tmp_path: Path) -> None:
    made = plan(
        tmp_path,
        agent("a", "  worker: {image: x, replicas: 3, temporal: {address: 'prod:7233'}}"),
        resource("Schedule", "s", "{agentRef: {name: a}, message: Hi, cron: '@daily', session: Continued}"),
        resource("Schedule", "t", "{agentRef: {name: a}, message: Hi, cron: '@daily', deletionPolicy: Orphan}"),
    )
    assert made.pools["default/a"].config.temporal.address is None
    assert made.pools["default/a"].environ["TEMPORAL_ADDRESS"] == "localhost:7233"
    assert list(made.schedules) == ["default.s", "default.t"]
    assert made.schedules["default.t"].owner == "dev:here/default/t"
    assert made.orphans == {"default.t"}
    assert len(made.notes) == 1


def test_versions_are_for_clusters(tmp_path: Path) -> None:
    made = plan(tmp_path, agent("a", "  worker: {image: x, versioning: {mode: Managed, buildID: v1}}"))
    assert made.pools["default/a"].config.versioning is None
    assert made.notes == ("Agent/a: versioning is for clusters; here workers are replaced in place",)


def test_the_agent_to_talk_to_first_is_one_that_nobody_hands_over_to(tmp_path: Path) -> None:
    handoff = "  handoffs: [{agentRef: {name: a}, description: A}]"
    assert plan(tmp_path, agent("a"), agent("b", handoff)).front == "b"
