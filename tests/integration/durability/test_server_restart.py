"""The Temporal server dies and comes back with its database: nothing is lost, and callers who wait get their answer."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from temporalio.client import Client

from rojak import Rojak
from rojak.agents import OpenAIAgentActivities, OpenAIAgentOptions
from rojak.dev import TemporalServer
from rojak.testing import ModelServer
from rojak.types import ResumeRequest, ResumeResponse
from tests.integration.session.conftest import answer, task
from tests.integration.session.script import follow_script
from tests.integration.session.team import FUNCTIONS

pytestmark = [pytest.mark.durability, pytest.mark.timeout(180)]


async def test_sessions_survive_a_restart_of_the_server(tmp_path: Path, model_server: ModelServer) -> None:
    model_server.otherwise().reply(follow_script)
    gate = model_server.when(last_user="think", last_role="user").hold()
    database = str(tmp_path / "temporal.db")
    options = OpenAIAgentOptions(api_key="test", base_url=model_server.base_url, all_functions=FUNCTIONS)
    async with TemporalServer(db_filename=database, headless=True) as server:
        rojak = Rojak(await Client.connect(server.address), "restart")
        async with rojak.create_worker([OpenAIAgentActivities(options)]):
            await rojak.run(id="idle", type="persistent", task=task("say before"))
            waiting = await rojak.run(id="approval", type="persistent", task=task("call pay", "echo"))
            assert isinstance(waiting.result, ResumeRequest)
            thinking = asyncio.create_task(rojak.run(id="thinking", type="persistent", task=task("think")))
            await model_server.wait_for_requests(3)

            port = int(server.address.rpartition(":")[2])
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            async with TemporalServer(port=port, db_filename=database, headless=True):
                gate.release()
                assert answer((await thinking).result) == "heard: think"
                response = await rojak.run(id="idle", type="persistent", task=task("say after"))
                assert [m.text for m in response.result.messages] == ["say before", "before", "say after", "after"]
                approve = ResumeResponse(action="approve", tool_id=waiting.result.tool_id)
                assert answer((await rojak.run(id="approval", resume=approve)).result) == "paid 1"
