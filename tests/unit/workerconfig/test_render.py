import json
from typing import Any

from rojak.manifests import Agent, MCPServer, WorkerSpec
from rojak.manifests.worker import TemporalConnection
from rojak.workerconfig import Missing, VersionEntry, WorkerConfig, render_worker_config, secret_env_name


def agent(name: str, **spec: Any) -> Agent:
    if not spec.keys() & {"instructions", "instructionsFrom", "instructionsFunction"}:
        spec["instructions"] = "Help."
    spec.setdefault("model", {"provider": "openai", "name": "gpt-5-mini"})
    return Agent.parse(
        {
            "apiVersion": "rojak.dev/v1alpha1",
            "kind": "Agent",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": spec,
        }
    )


def server(name: str, **spec: Any) -> MCPServer:
    return MCPServer.parse(
        {"apiVersion": "rojak.dev/v1alpha1", "kind": "MCPServer", "metadata": {"name": name}, "spec": spec}
    )


def render(*agents: Agent, **arguments: Any) -> tuple[dict[str, Any], tuple[Missing, ...]]:
    rendered = render_worker_config(name="pool", namespace="shop", agents=agents, **arguments)
    return json.loads(rendered.config.to_text()), rendered.missing


def test_an_agent_is_rendered_with_its_own_task_queue_and_without_what_is_the_clusters() -> None:
    config, missing = render(agent("triage", worker={"replicas": 3}))
    assert missing == ()
    assert config["agents"] == [
        {
            "name": "triage",
            "taskQueue": "shop.triage",
            "spec": {"instructions": "Help.", "model": {"provider": "openai", "name": "gpt-5-mini"}},
        }
    ]
    assert "secrets" not in config


def test_the_same_agents_in_any_order_are_the_same_text() -> None:
    one, two = agent("a"), agent("b")
    first = render_worker_config(name="pool", namespace="shop", agents=[one, two])
    second = render_worker_config(name="pool", namespace="shop", agents=[two, one])
    assert first.config.to_text() == second.config.to_text()


def test_the_text_reads_back_as_the_same_configuration() -> None:
    config = render_worker_config(name="pool", namespace="shop", agents=[agent("a")]).config
    assert WorkerConfig.model_validate(json.loads(config.to_text())) == config


def test_secrets_are_named_and_never_rendered() -> None:
    key = {"secretKeyRef": {"name": "openai", "key": "api-key"}}
    header = {"name": "X-Team", "valueFrom": {"secretKeyRef": {"name": "team", "key": "TOKEN", "optional": True}}}
    model = {"provider": "openai", "name": "gpt-5-mini", "apiKey": key, "headers": [header]}
    config, _ = render(agent("triage", model=model), agent("other", model=model))
    assert config["secrets"] == [
        {"name": "openai", "key": "api-key", "env": "ROJAK_SECRET_OPENAI__API_KEY"},
        {"name": "team", "key": "TOKEN", "env": secret_env_name("team", "TOKEN"), "optional": True},
    ]


def test_what_looks_like_a_reference_in_a_users_data_is_none() -> None:
    data = {"secretKeyRef": {"name": "mine", "key": "mine"}}
    config, _ = render(agent("triage", contextVariables=data))
    assert "secrets" not in config
    assert config["agents"][0]["spec"]["contextVariables"] == data


def test_secrets_that_look_alike_have_variables_of_their_own() -> None:
    pairs = [
        ("a", "b-c"),
        ("a-b", "c"),
        ("a", "b_c"),
        ("a", "b.c"),
        ("a", "B-C"),
        ("a.b", "c"),
        ("a", "bC"),
        ("a", "bc"),
    ]
    names = {secret_env_name(*pair) for pair in pairs}
    assert len(names) == len(pairs)
    assert all(name.replace("_", "").isalnum() and name.isupper() for name in names)


def test_config_maps_are_written_into_the_file() -> None:
    prompts = {"prompts": {"triage": "You sort.", "team": "blue"}}
    header = {"name": "X-Team", "valueFrom": {"configMapKeyRef": {"name": "prompts", "key": "team"}}}
    config, missing = render(
        agent(
            "triage",
            instructionsFrom={"configMapKeyRef": {"name": "prompts", "key": "triage"}},
            model={"provider": "openai", "name": "gpt-5-mini", "headers": [header]},
        ),
        config_maps=prompts,
    )
    assert missing == ()
    spec = config["agents"][0]["spec"]
    assert spec["instructions"] == "You sort."
    assert spec["model"]["headers"] == [{"name": "X-Team", "value": "blue"}]


def test_an_agent_without_its_instructions_does_not_hold_up_the_others() -> None:
    lost = agent("lost", instructionsFrom={"configMapKeyRef": {"name": "prompts", "key": "lost"}})
    config, missing = render(lost, agent("fine"))
    assert [entry["name"] for entry in config["agents"]] == ["fine"]
    assert missing == (Missing("ConfigMap", "prompts", None, "Agent/lost"),)
    _, missing = render(lost, config_maps={"prompts": {}})
    assert missing == (Missing("ConfigMap", "prompts", "lost", "Agent/lost"),)


def test_instructions_can_come_from_a_file() -> None:
    config, _ = render(agent("triage", instructionsFrom={"file": "triage.md"}), instructions={"triage": "You sort."})
    assert config["agents"][0]["spec"]["instructions"] == "You sort."


def test_the_mcp_servers_are_rendered_that_agents_use() -> None:
    user = agent(
        "triage", tools=[{"mcp": {"serverRef": {"name": name}}} for name in ("far", "near", "program", "gone")]
    )
    token = {"name": "Authorization", "valueFrom": {"secretKeyRef": {"name": "far", "key": "token"}}}
    servers = [
        server("far", remote={"url": "https://far.example/mcp", "headers": [token]}, timeout="5s"),
        server("near", managed={"image": "near", "transport": "SSE", "port": 80, "replicas": 2}),
        server("program", managed={"command": ["python", "-m", "tools"], "env": [{"name": "A", "value": "1"}]}),
        server("unused", remote={"url": "https://unused.example"}),
    ]
    config, missing = render(user, mcp_servers=servers, mcp_urls={"near": "http://near/sse"})
    assert config["mcpServers"] == [
        {"name": "far", "url": "https://far.example/mcp", "headers": [token], "timeout": "5s"},
        {"name": "near", "url": "http://near/sse", "transport": "SSE"},
        {"name": "program", "command": ["python", "-m", "tools"], "env": [{"name": "A", "value": "1"}]},
    ]
    assert missing == (Missing("MCPServer", "gone", None, "Agent/triage"),)
    assert [secret["env"] for secret in config["secrets"]] == ["ROJAK_SECRET_FAR__TOKEN"]


def test_a_pools_own_connection_goes_before_the_default_and_shares_no_login_with_another_address() -> None:
    default = TemporalConnection.model_validate(
        {"address": "temporal:7233", "namespace": "agents", "apiKey": {"secretKeyRef": {"name": "t", "key": "k"}}}
    )
    config, _ = render(agent("a"), temporal=default)
    assert config["temporal"]["address"] == "temporal:7233"
    assert config["temporal"]["apiKey"] == {"secretKeyRef": {"name": "t", "key": "k"}}
    elsewhere = WorkerSpec.model_validate({"temporal": {"address": "other:7233"}})
    config, _ = render(agent("a"), temporal=default, worker=elsewhere)
    assert config["temporal"] == {"address": "other:7233", "namespace": "agents"}
    certified = WorkerSpec.model_validate({"temporal": {"tls": {"clientCertSecretRef": {"name": "mine"}}}})
    config, _ = render(agent("a"), temporal=default, worker=certified)
    assert config["temporal"] == {
        "address": "temporal:7233",
        "namespace": "agents",
        "tls": {"clientCert": {"name": "mine", "key": "tls.crt"}, "clientKey": {"name": "mine", "key": "tls.key"}},
    }
    assert [(secret["name"], secret["key"]) for secret in config["secrets"]] == [
        ("mine", "tls.crt"),
        ("mine", "tls.key"),
    ]


def test_what_the_pool_says_of_functions_limits_and_shutdown_is_rendered() -> None:
    worker = WorkerSpec.model_validate(
        {
            "functions": {"modules": ["my_tools"], "configMapRef": {"name": "quick"}},
            "maxConcurrentCalls": 5,
            "gracefulShutdown": "2m",
            "image": "shop/agents:1",
        }
    )
    config, _ = render(agent("a"), worker=worker, functions_folder="/etc/rojak/functions", http_port=9000)
    assert config["functions"] == {"modules": ["my_tools"], "folder": "/etc/rojak/functions"}
    assert (config["maxConcurrentCalls"], config["gracefulShutdown"]) == (5, "2m")
    assert config["http"] == {"port": 9000}


def test_a_version_of_the_code_is_said_where_there_is_one() -> None:
    config, _ = render(agent("a"), version=VersionEntry(deployment="shop/pool", build_id="v1"))
    assert config["versioning"] == {"deployment": "shop/pool", "buildID": "v1"}
    assert "versioning" not in render(agent("a"))[0]
