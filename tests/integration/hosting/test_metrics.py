"""What a worker process counts, scraped as Prometheus would."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from temporalio.client import Client

from rojak import ResumeResponse, Rojak, TaskParams
from rojak.agents import AgentRef
from rojak.testing import ModelServer
from rojak.types import ResumeRequest
from rojak.types.errors import RunFailedError
from tests.integration.hosting.test_worker_process import task
from tests.integration.hosting.worker_processes import FUNCTIONS, Worker, agent, configuration, started
from tests.integration.session.script import follow_script

pytestmark = pytest.mark.timeout(120)

DOCUMENTED = re.findall(r"`(rojak_[a-z_]+)`", (Path(__file__).parents[3] / "docs/metrics.md").read_text())


async def scrape(worker: Worker) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Samples by name."""
    status, text = await worker.get("/metrics")
    assert status == 200
    samples: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append((sample.labels, sample.value))
    return samples


def value(samples: dict[str, Any], name: str, **labels: str) -> float:
    return sum(v for found, v in samples.get(name, []) if labels.items() <= found.items())


async def test_what_is_documented_is_counted_and_nothing_that_was_said(
    temporal_address: str, temporal_client: Client, task_queue: str, model_server: ModelServer, tmp_path: Path
) -> None:
    model_server.when(last_user="refused").error(400, "no")
    model_server.otherwise().reply(follow_script)
    (tmp_path / "my_tools.py").write_text(FUNCTIONS)
    weather = {"function": {"name": "get_weather"}}
    agents = [
        agent(
            "triage",
            model_server.base_url,
            task_queue,
            handoffs=[{"agentRef": {"name": "weather"}, "description": "Knows the weather"}],
            tools=[weather | {"approval": {"mode": "Always"}}],
        ),
        agent("weather", model_server.base_url, task_queue, tools=[weather], limits={"maxTurns": 3}),
    ]
    functions = {"modules": ["my_tools"], "pythonPath": [str(tmp_path)]}
    rojak = Rojak(temporal_client, task_queue=f"{task_queue}.triage")
    async with started(tmp_path, configuration(temporal_address, task_queue, agents, functions=functions)) as worker:
        await worker.ready()
        said = ["call transfer_to_weather", 'call get_weather {"city": "Zanzibar"}; get_weather', "say secret"]
        await rojak.run(id=task_queue, type="persistent", task=task("triage", *said))

        def there(*script: str) -> TaskParams:
            return task("weather", *script).model_copy(
                update={"agent": AgentRef("weather", task_queue=f"{task_queue}.weather")}
            )

        with pytest.raises(RunFailedError, match="BadRequestError"):
            await rojak.run(id=task_queue, type="persistent", task=there("refused"))
        await rojak.run(id=task_queue, type="persistent", task=there(*[said[1]] * 4))
        for action in ("approve", "reject"):
            waiting = await rojak.run(id=task_queue, type="persistent", task=task("triage", said[1].split(";")[0]))
            assert isinstance(waiting.result, ResumeRequest)
            decision = ResumeResponse(action=action, tool_id=waiting.result.tool_id)  # type: ignore[arg-type]
            await rojak.run(id=task_queue, resume=decision)
        samples = await scrape(worker)
        text = (await worker.get("/metrics"))[1]
    assert value(samples, "rojak_turns_total", agent="triage") == 3
    assert value(samples, "rojak_runs_total", agent="weather", outcome="answered") == 1
    assert value(samples, "rojak_runs_total", agent="weather", outcome="failed") == 1
    assert value(samples, "rojak_runs_total", agent="weather", outcome="limited") == 1
    assert value(samples, "rojak_runs_total", agent="triage", outcome="answered") == 2
    assert value(samples, "rojak_run_duration_seconds_count", agent="triage") == 2
    assert value(samples, "rojak_handoffs_total", agent="triage", to="weather") == 1
    failed = {"agent": "weather", "model": "gpt-5-mini", "outcome": "failed", "error": "BadRequestError"}
    assert value(samples, "rojak_model_calls_total", **failed) == 1
    assert value(samples, "rojak_model_calls_total", agent="weather", outcome="answered", error="") >= 2
    assert value(samples, "rojak_model_call_duration_seconds_count", agent="triage") == 5
    assert value(samples, "rojak_model_call_duration_seconds_bucket", le="320", agent="triage") == 5
    assert value(samples, "rojak_tokens_total", agent="triage", kind="input") > 0
    calls = {"agent": "weather", "tool": "get_weather", "kind": "function"}
    assert value(samples, "rojak_tool_calls_total", **calls, outcome="failed") >= 1
    assert value(samples, "rojak_tool_calls_total", **calls, outcome="returned") >= 1
    assert value(samples, "rojak_tool_call_duration_seconds_count", agent="triage") == 1
    asked = {"agent": "triage", "tool": "get_weather"}
    outcomes = ("requested", "approved", "rejected")
    assert [value(samples, "rojak_approvals_total", **asked, outcome=outcome) for outcome in outcomes] == [2, 1, 1]
    # What is documented exists, and what exists is documented.
    names = {re.sub(r"_(bucket|sum|count)$", "", name) for name in samples if name.startswith("rojak_")}
    assert names == {name for name in DOCUMENTED if not name.startswith("rojak_retrievals")}
    for name in ("temporal_workflow_task_execution_latency_seconds_count", "temporal_num_pollers"):
        assert value(samples, name) > 0
    assert value(samples, "process_resident_memory_bytes") > 0
    assert not re.search(r"Zanzibar|secret|session|refused", text)
    own = {key for name, found in samples.items() if name.startswith("rojak_") for labels, _ in found for key in labels}
    known = {"agent", "outcome", "model", "error", "kind", "tool", "to", "le"}
    assert own - known == {"namespace", "task_queue", "workflow_type", "activity_type", "service_name"}


async def test_a_replay_counts_nothing_again(
    temporal_address: str, temporal_client: Client, task_queue: str, model_server: ModelServer, tmp_path: Path
) -> None:
    model_server.otherwise().reply(follow_script)
    config = configuration(temporal_address, task_queue, [agent("a", model_server.base_url, task_queue)])
    rojak = Rojak(temporal_client, task_queue=f"{task_queue}.a")
    async with started(tmp_path, config) as worker:
        await worker.ready()
        await rojak.run(id=task_queue, type="persistent", task=task("a", "say one"))
        worker.process.terminate()
        await worker.end()
    async with started(tmp_path, config) as worker:
        await worker.ready()
        await rojak.run(id=task_queue, type="persistent", task=task("a", "say two"))
        samples = await scrape(worker)
    assert value(samples, "rojak_turns_total", agent="a") == 1
    assert value(samples, "rojak_runs_total", agent="a") == 1
