"""``maxConcurrentCalls`` is the limit of a worker process, however many agents it serves."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from rojak import Rojak
from rojak.testing import ModelServer
from tests.integration.hosting.test_worker_process import task, text
from tests.integration.hosting.worker_processes import agent, configuration, started
from tests.integration.session.script import follow_script

pytestmark = pytest.mark.timeout(120)

SLOW = '''
import os, time

LEDGER = os.environ["LEDGER"]


def note(line):
    with open(LEDGER, "a") as ledger:
        ledger.write(line + "\\n")


def slow(number: int) -> str:
    """Takes its time."""
    note("begin")
    time.sleep(0.3)
    note("end")
    return str(number)
'''


def most_at_once(ledger: Path) -> int:
    """The most calls that were in progress at a time."""
    now = most = 0
    for line in ledger.read_text().split():
        now += 1 if line == "begin" else -1
        most = max(most, now)
    return most


def pool(
    address: str, namespace: str, model: ModelServer, names: str, limit: int, folder: Path, **spec: Any
) -> dict[str, Any]:
    agents = [agent(name, model.base_url, namespace, **spec) for name in names]
    functions = {"modules": ["slow_tools"], "pythonPath": [str(folder)]} if spec else {}
    return configuration(address, namespace, agents, functions=functions, maxConcurrentCalls=limit)


async def test_tools_of_two_agents_share_the_limit(
    temporal_address: str, temporal_client: Client, task_queue: str, model_server: ModelServer, tmp_path: Path
) -> None:
    model_server.otherwise().reply(follow_script)
    (tmp_path / "slow_tools.py").write_text(SLOW)
    ledger = tmp_path / "ledger"
    tools = [{"function": {"name": "slow"}}]
    config = pool(temporal_address, task_queue, model_server, "ab", 2, tmp_path, tools=tools)
    script = 'call slow {"number": 1}; slow {"number": 2}; slow {"number": 3}'
    async with started(tmp_path, config, {"LEDGER": str(ledger)}) as worker:
        await worker.ready()
        async with asyncio.timeout(60):
            responses = await asyncio.gather(
                *(
                    Rojak(temporal_client, f"{task_queue}.{name}").run(
                        id=f"{task_queue}-{name}", task=task(name, script, "echo")
                    )
                    for name in "ab"
                )
            )
        assert [text(response.result) for response in responses] == ["1 | 2 | 3"] * 2
        worker.process.terminate()
        assert await worker.end() == 0, worker.log
        assert "maxConcurrentCalls" not in worker.log
    assert ledger.read_text().split().count("end") == 6
    assert most_at_once(ledger) <= 2


async def test_model_calls_of_two_agents_share_the_limit(
    temporal_address: str, temporal_client: Client, task_queue: str, model_server: ModelServer, tmp_path: Path
) -> None:
    sayings = [f"{name}{number}" for name in "ab" for number in range(3)]
    held = {said: model_server.when(last_user=said).reply("done").hold() for said in sayings}
    config = pool(temporal_address, task_queue, model_server, "ab", 2, tmp_path)
    async with started(tmp_path, config) as worker:
        await worker.ready()
        runs = [
            asyncio.create_task(
                Rojak(temporal_client, f"{task_queue}.{said[0]}").run(
                    id=f"{task_queue}-{said}", task=task(said[0], said)
                )
            )
            for said in held
        ]
        for released in range(len(held)):
            # Each time one is done, the next one comes, and not before.
            await model_server.wait_for_requests(min(released + 2, len(held)))
            assert len(model_server.requests) <= released + 2
            held[model_server.requests[released].conversation.messages[-1].text].release()
        async with asyncio.timeout(60):
            assert [text(response.result) for response in await asyncio.gather(*runs)] == ["done"] * len(held)
    assert len(model_server.requests) == len(held)


async def test_a_busy_agent_gets_all_but_the_places_of_the_others_which_go_on_working(
    temporal_address: str, temporal_client: Client, task_queue: str, model_server: ModelServer, tmp_path: Path
) -> None:
    gate = model_server.when(last_user="busy").reply("done").hold()
    model_server.otherwise().reply(follow_script)
    config = pool(temporal_address, task_queue, model_server, "abc", 6, tmp_path)
    async with started(tmp_path, config) as worker:
        await worker.ready()
        busy = Rojak(temporal_client, f"{task_queue}.a")
        runs = [asyncio.create_task(busy.run(id=f"{task_queue}-{n}", task=task("a", "busy"))) for n in range(8)]
        await model_server.wait_for_requests(4)
        for name in "bc":
            quiet = Rojak(temporal_client, f"{task_queue}.{name}")
            response = await quiet.run(id=f"{task_queue}-{name}", task=task(name, "say hi"))
            assert text(response.result) == "hi"
        assert len(model_server.requests) == 6
        gate.release()
        async with asyncio.timeout(60):
            assert [text(response.result) for response in await asyncio.gather(*runs)] == ["done"] * 8


async def test_a_limit_below_the_number_of_agents_leaves_one_call_to_each_and_says_so(
    temporal_address: str, temporal_client: Client, task_queue: str, model_server: ModelServer, tmp_path: Path
) -> None:
    model_server.otherwise().reply(follow_script)
    config = pool(temporal_address, task_queue, model_server, "abc", 1, tmp_path)
    async with started(tmp_path, config) as worker:
        await worker.ready()
        assert "maxConcurrentCalls is 1, and there are 3 agents: each makes one call at a time" in worker.log
        for name in "abc":
            rojak = Rojak(temporal_client, f"{task_queue}.{name}")
            response = await rojak.run(id=f"{task_queue}-{name}", task=task(name, "say hi"))
            assert text(response.result) == "hi"
        worker.process.terminate()
        assert await worker.end() == 0, worker.log
