"""What the documentation shows runs as it is shown."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from temporalio.client import Client

from rojak import Rojak, TaskParams
from rojak.agents import OpenAIAgent, OpenAIAgentActivities, OpenAIAgentOptions
from rojak.testing import ModelServer, Reply, call
from rojak.workerconfig.load import parse_worker_config

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def snippets(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_snippets_are_python(page: Path) -> None:
    for snippet in snippets(page):
        compile(snippet, page.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_the_first_program_of_the_readme_runs(
    temporal_address: str, model_server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_server.when(system="haiku").reply("An old silent pond")
    model_server.otherwise().reply(tool_calls=[call("transfer_to_poet")])
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.setenv("OPENAI_BASE_URL", model_server.base_url)
    program = next(s for s in snippets(ROOT / "README.md") if "my-first-run" in s)
    path = tmp_path / "main.py"
    path.write_text(program.replace("localhost:7233", temporal_address).replace("my-first-run", tmp_path.name))
    result = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=60)
    assert result.stdout == "An old silent pond\n", result.stderr


def test_the_test_in_the_testing_guide_passes(temporal_address: str, tmp_path: Path) -> None:
    (guide,) = [s for s in snippets(ROOT / "docs/testing.md") if "async def test_" in s]
    (tmp_path / "test_guide.py").write_text(guide)
    command = [sys.executable, "-m", "pytest", "-q", "-o", "asyncio_mode=auto", str(tmp_path), "-p", "no:cacheprovider"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert "1 passed" in result.stdout, result.stdout


async def test_the_provider_in_the_providers_guide_works(temporal_client: Client, task_queue: str) -> None:
    names: dict[str, object] = {}
    exec(snippets(ROOT / "docs/providers.md")[0], names)
    rojak = Rojak(temporal_client, task_queue)
    async with rojak.create_worker([names["parrot_activities"]]):  # type: ignore[list-item]  # from the page
        agent = names["ParrotAgent"]()  # type: ignore[operator]  # from the page
        task = TaskParams(agent=agent, messages=[{"role": "user", "content": "Polly"}])
        response = await rojak.run(id=task_queue, task=task)
    assert response.result.messages[-1].content == "Polly"


def test_the_program_of_the_readme_that_looks_something_up_runs(
    temporal_address: str, model_server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_server.when(system=r"[notes.md] The office opens at nine.").reply("At nine.")
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.setenv("OPENAI_BASE_URL", model_server.base_url)
    program = next(s for s in snippets(ROOT / "README.md") if "my-first-look-up" in s)
    path = tmp_path / "main.py"
    path.write_text(program.replace("localhost:7233", temporal_address).replace("my-first-look-up", tmp_path.name))
    result = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=60)
    assert result.stdout == "At nine. ['notes.md']\n", result.stderr


@pytest.mark.parametrize("page", ["README.md", "docs/sub-agents.md"])
def test_the_program_of_the_team_runs(
    page: str, temporal_address: str, model_server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = [call("researcher", message="Rome"), call("researcher", message="Oslo")]
    model_server.when(system="Find out").reply(lambda conversation: Reply(f"{conversation.messages[-1].text} is old."))
    model_server.when(system="Write", last_role="user").reply(tool_calls=facts)
    model_server.when(system="Write", last_role="tool").reply(
        lambda conversation: Reply(" ".join(m.text for m in conversation.messages if m.role == "tool"))
    )
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.setenv("OPENAI_BASE_URL", model_server.base_url)
    program = next(s for s in snippets(ROOT / page) if "my-first-team" in s)
    path = tmp_path / "main.py"
    path.write_text(program.replace("localhost:7233", temporal_address).replace("my-first-team", tmp_path.name))
    result = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=60)
    assert result.stdout == "Rome is old. Oslo is old.\n", result.stderr


def test_the_program_of_the_readme_with_an_mcp_server_runs(
    temporal_address: str, model_server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_server.when(last_tool="sunny in Oslo").reply("Yes, it is.")
    model_server.otherwise().reply(tool_calls=[call("get_weather", city="Oslo")])
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.setenv("OPENAI_BASE_URL", model_server.base_url)
    program = next(s for s in snippets(ROOT / "README.md") if "my-first-mcp-run" in s)
    path = tmp_path / "my_mcp.py"
    path.write_text(program.replace("localhost:7233", temporal_address).replace("my-first-mcp-run", tmp_path.name))
    result = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=60)
    assert result.stdout == "Yes, it is.\n", result.stderr


async def test_the_store_in_the_retrievers_guide_works(
    temporal_client: Client, task_queue: str, model_server: ModelServer
) -> None:
    names: dict[str, Any] = {}
    exec(snippets(ROOT / "docs/retrievers.md")[-1], names)
    model_server.otherwise().reply(lambda conversation: Reply(conversation.system))
    rojak = Rojak(temporal_client, task_queue)
    provider = OpenAIAgentActivities(OpenAIAgentOptions(api_key="test", base_url=model_server.base_url))
    async with rojak.create_worker([provider, names["glossary_activities"]]):
        agent = OpenAIAgent(retriever=names["GlossaryRetriever"]())
        task = TaskParams(agent=agent, messages=[{"role": "user", "content": "Arete"}])
        response = await rojak.run(id=task_queue, task=task)
    assert "[arete] A thin ridge of rock." in response.result.messages[-1].content


async def test_the_agents_by_name_of_the_readme_hand_over(
    temporal_client: Client,
    task_queue: str,
    model_server: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model_server.when(system="bills").reply("It is corrected")
    model_server.otherwise().reply(tool_calls=[call("transfer_to_billing")])
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.setenv("OPENAI_BASE_URL", model_server.base_url)
    program = next(s for s in snippets(ROOT / "README.md") if '"by-name"' in s).replace("by-name", task_queue)
    names: dict[str, object] = {}
    exec(program, names)
    await names["main"](Rojak(temporal_client, task_queue))  # type: ignore[operator]  # from the page
    assert capsys.readouterr().out == "It is corrected\n"


def test_the_configuration_in_the_worker_guide_is_one() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/worker.md").read_text(), re.DOTALL)
    config = parse_worker_config(yaml.safe_load(text), "docs/worker.md")
    assert [agent.task_queue for agent in config.agents] == ["default.triage", "default.billing"]
