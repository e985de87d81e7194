"""The MCP servers of an agent: filters, names, approvals."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from rojak.hosting.definitions import Definition
from rojak.hosting.functions import FunctionSource
from rojak.hosting.mcp_servers import build_mcp_servers
from rojak.hosting.secrets import Secrets
from rojak.types.mcp import MCPServerConfig
from rojak.workerconfig import AgentEntry, FunctionsEntry, MCPServerEntry, SecretEntry


def entry(*tools: dict[str, Any]) -> AgentEntry:
    spec = {"instructions": "Help.", "model": {"provider": "openai", "name": "m"}, "tools": list(tools)}
    return AgentEntry.model_validate({"name": "a", "taskQueue": "ns.a", "spec": spec})


def servers(tools: list[dict[str, Any]], *entries: dict[str, Any], **environ: str) -> dict[str, MCPServerConfig]:
    known = {given["name"]: MCPServerEntry.model_validate(given) for given in entries}
    secrets = Secrets([SecretEntry(name="s", key="k", env="TOKEN")], environ)
    return build_mcp_servers("Agent 'a'", entry(*tools).spec, known, secrets)


FILES = {
    "name": "files",
    "url": "https://files.example/mcp",
    "tools": {"include": ["read_*", "list"], "exclude": ["x"]},
}


@pytest.mark.parametrize(
    ("include", "left"),
    [(None, ["read_*", "list"]), (["read_me", "delete"], ["read_me"]), (["*"], ["read_*", "list"]), (["z"], [])],
)
def test_only_what_server_and_agent_both_let_through_is_offered(include: list[str] | None, left: list[str]) -> None:
    tool = {"serverRef": {"name": "files"}, "exclude": ["y"]} | ({"include": include} if include else {})
    config = servers([{"mcp": tool}], FILES)["files"]
    assert config.include == left
    assert config.exclude == ["x", "y"]
    assert config.type == "streamable-http"


def test_a_server_can_be_named_twice_with_approvals_of_its_own() -> None:
    ref = {"serverRef": {"name": "files"}}
    tools: list[dict[str, Any]] = [
        {"mcp": ref | {"include": ["read_*"]}},
        {"mcp": ref | {"include": ["list"]}, "approval": {"mode": "Always", "timeout": "1m", "onTimeout": "Fail"}},
    ]
    assert list(servers(tools, FILES)) == ["files", "files#2"]
    agent = Definition(entry(*tools), "ns", FunctionSource(FunctionsEntry())).agent
    assert agent.interrupt_for("read_me", server="files") is None
    interrupt = agent.interrupt_for("list", server="files#2")
    assert interrupt is not None
    assert (interrupt.timeout_in_seconds, interrupt.on_timeout) == (60, "fail")
    assert agent.interrupt_for("list") is None


def test_destructive_ones_of_one_server_wait() -> None:
    tools = [{"mcp": {"serverRef": {"name": "files"}}, "approval": {"mode": "Destructive"}}]
    agent = Definition(entry(*tools), "ns", FunctionSource(FunctionsEntry())).agent
    assert agent.interrupt_for("delete", server="files", destructive=True) is not None
    assert agent.interrupt_for("read", server="files") is None
    assert agent.interrupt_for("delete", server="other", destructive=True) is None


def test_a_server_without_its_secret_is_left_out_and_said(caplog: pytest.LogCaptureFixture) -> None:
    token = {"name": "Authorization", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    tools = [{"mcp": {"serverRef": {"name": "far"}}}]
    far = {"name": "far", "url": "https://far.example", "headers": [token]}
    with caplog.at_level(logging.ERROR):
        assert servers(tools, far) == {}
    assert "set the environment variable TOKEN" in caplog.text
    assert servers(tools, far, TOKEN="t")["far"].headers == {"Authorization": "t"}


def test_a_program_is_started_with_its_arguments_and_variables() -> None:
    program = {"name": "p", "command": ["python", "-m"], "args": ["tools"], "env": [{"name": "A", "value": "1"}]}
    config = servers([{"mcp": {"serverRef": {"name": "p"}, "prefix": "p_"}}], program)["p"]
    assert (config.command, config.args, config.env, config.prefix) == ("python", ["-m", "tools"], {"A": "1"}, "p_")
