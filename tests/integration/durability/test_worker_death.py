"""A worker is killed, in every place where it matters. The run goes on, and nothing is done that was done."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import pytest
from temporalio.client import Client

from rojak import Rojak
from rojak.testing import ModelServer
from rojak.types import ResumeRequest, ResumeResponse
from tests.integration.durability.processes import ROOT, crew, until
from tests.integration.session.conftest import answer, task
from tests.integration.session.script import follow_script

pytestmark = [pytest.mark.durability, pytest.mark.timeout(120)]


@pytest.fixture
def model(model_server: ModelServer) -> ModelServer:
    model_server.otherwise().reply(follow_script)
    return model_server


@pytest.fixture
def session_id(task_queue: str) -> str:
    return f"session-{task_queue}"


async def test_killed_in_a_model_call(
    temporal_address: str, temporal_client: Client, task_queue: str, session_id: str, model: ModelServer
) -> None:
    rojak = Rojak(temporal_client, task_queue)
    gate = model.when(last_user="think", last_role="user").hold()
    async with crew(temporal_address, task_queue, model.base_url) as workers:
        first = await workers.hire()
        run = asyncio.create_task(rojak.run(id=session_id, type="persistent", task=task("think")))
        await model.wait_for_requests(1)
        killed_at = time.monotonic()
        await first.kill()
        gate.release()
        await workers.hire()
        assert answer((await run).result) == "heard: think"
        # Noticed by missing heartbeats, not after the minute that a model call may take.
        assert time.monotonic() - killed_at < 30
        assert len(model.requests) == 2


async def test_killed_in_a_tool_call(
    temporal_address: str,
    temporal_client: Client,
    task_queue: str,
    session_id: str,
    model: ModelServer,
    tmp_path: Path,
) -> None:
    rojak = Rojak(temporal_client, task_queue)
    ledger = tmp_path / "ledger"
    ledger.touch()
    async with crew(temporal_address, task_queue, model.base_url, {"ROJAK_TEST_LEDGER": str(ledger)}) as workers:
        first = await workers.hire()
        script = task('call add; ledger {"entry": "once"}', "echo")
        run = asyncio.create_task(rojak.run(id=session_id, task=script))
        await until(lambda: bool(ledger.read_text()))
        await first.kill()
        ledger.with_suffix(".open").touch()
        await workers.hire()
        assert answer((await run).result) == "sum is 1 | entered once"
    # The function ran twice, and could know: both attempts had the same key.
    (key, attempt, _), (key_again, attempt_again, _) = (line.split() for line in ledger.read_text().splitlines())
    assert key == key_again
    assert key.startswith(f"{session_id}/1/")
    assert (attempt, attempt_again) == ("1", "2")


async def test_killed_while_waiting_for_approval(
    temporal_address: str, temporal_client: Client, task_queue: str, session_id: str, model: ModelServer
) -> None:
    rojak = Rojak(temporal_client, task_queue)
    async with crew(temporal_address, task_queue, model.base_url) as workers:
        first = await workers.hire()
        response = await rojak.run(id=session_id, task=task("call pay", "echo"))
        assert isinstance(response.result, ResumeRequest)
        await first.kill()
        await workers.hire()
        # A client that knows nothing of the first one.
        other = Rojak(await Client.connect(temporal_address), task_queue)
        (request,) = await other.get_pending_approvals(session_id)
        final = await other.run(id=session_id, resume=ResumeResponse(action="approve", tool_id=request.tool_id))
        assert answer(final.result) == "paid 1"


async def test_resumed_by_another_process(
    temporal_address: str, temporal_client: Client, task_queue: str, session_id: str, model: ModelServer
) -> None:
    rojak = Rojak(temporal_client, task_queue)
    async with crew(temporal_address, task_queue, model.base_url) as workers:
        await workers.hire()
        await rojak.run(id=session_id, task=task("call pay", "echo"))
        command = (sys.executable, "-m", "tests.integration.session.resume_process")
        process = await asyncio.create_subprocess_exec(
            *command, temporal_address, task_queue, session_id, cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        assert out.decode().strip() == "['call pay\\necho', '', 'paid 1', 'paid 1']"
        assert answer(await rojak.get_result(session_id)) == "paid 1"


async def test_the_next_turn_of_an_idle_session_comes_soon_after_a_death(
    temporal_address: str, temporal_client: Client, task_queue: str, session_id: str, model: ModelServer
) -> None:
    rojak = Rojak(temporal_client, task_queue)
    async with crew(temporal_address, task_queue, model.base_url) as workers:
        first = await workers.hire()
        await rojak.run(id=session_id, type="persistent", task=task("say one"))
        await first.kill()
        await workers.hire()
        began = time.monotonic()
        response = await rojak.run(id=session_id, type="persistent", task=task("say two"))
        assert [m.text for m in response.result.messages] == ["say one", "one", "say two", "two"]
        assert time.monotonic() - began < 10


async def test_killed_again_and_again_while_rolling_over(
    temporal_address: str, temporal_client: Client, task_queue: str, session_id: str, model: ModelServer
) -> None:
    """Each turn rolls over about once, so that kills at random moments meet roll-overs too."""
    rojak = Rojak(temporal_client, task_queue, roll_over_after_events=15)
    async with crew(temporal_address, task_queue, model.base_url) as workers:
        worker = await workers.hire()
        answers: list[str] = []

        async def talk() -> None:
            for index in range(30):
                response = await rojak.run(id=session_id, type="persistent", task=task("call add", f"say {index}"))
                answers.append(answer(response.result))

        talking = asyncio.create_task(talk())
        for said in (3, 9, 15, 21):
            await until(lambda said=said: len(answers) >= said or talking.done(), seconds=60)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            await worker.kill()
            worker = await workers.hire()
        await talking
        assert answers == [str(index) for index in range(30)]
        assert (await rojak.get_config(session_id)).context_variables == {"sum": 30}


async def test_two_workers_share_sessions_and_survive_each_other(
    temporal_address: str, temporal_client: Client, task_queue: str, session_id: str, model: ModelServer
) -> None:
    rojak = Rojak(temporal_client, task_queue)
    async with crew(temporal_address, task_queue, model.base_url) as workers:
        first = await workers.hire()
        await workers.hire()

        async def talk(session: str) -> list[str]:
            texts = []
            for index in range(6):
                # Long enough for windows to be completed from a cache that the other worker does not have.
                words = f"say {index} " + "w" * 900
                response = await rojak.run(id=session, type="persistent", task=task("call add", words))
                texts.append(answer(response.result)[0])
            return texts

        talking = [asyncio.create_task(talk(f"{session_id}-{number}")) for number in range(4)]
        await model.wait_for_requests(20)
        await first.kill()
        for texts in await asyncio.gather(*talking):
            assert texts == [str(index) for index in range(6)]


async def test_a_worker_that_is_asked_to_stop_finishes_what_it_does(
    temporal_address: str, temporal_client: Client, task_queue: str, session_id: str, model: ModelServer
) -> None:
    rojak = Rojak(temporal_client, task_queue)
    async with crew(temporal_address, task_queue, model.base_url) as workers:
        first = await workers.hire()
        run = asyncio.create_task(rojak.run(id=session_id, task=task('call slow {"seconds": 1}', "echo")))
        await model.wait_for_requests(1)
        await until_tool_runs(rojak, session_id)
        await asyncio.gather(first.stop(), workers.hire())
        assert answer((await run).result) == "slept"


async def until_tool_runs(rojak: Rojak, session_id: str) -> None:
    handle = rojak.client.get_workflow_handle(session_id)
    async with asyncio.timeout(10):
        while True:
            pending = (await handle.describe()).raw_description.pending_activities
            if any(p.activity_type.name == "rojak.call_tool" and p.HasField("last_started_time") for p in pending):
                return
            await asyncio.sleep(0.02)
