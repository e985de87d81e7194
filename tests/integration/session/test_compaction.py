"""Long conversations with a summary of what is old."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rojak import Compaction, ResumeResponse, Rojak, UpdateConfigParams
from rojak.agents import AnthropicAgent, OpenAIAgent
from rojak.session.compaction import PREFIX
from rojak.testing import ModelServer
from rojak.types import OrchestratorResponse, ResumeRequest, Usage
from rojak.types.errors import ConfigurationError
from tests.integration.session.conftest import answer, roles, task
from tests.integration.session.team import agent_a

pytestmark = pytest.mark.usefixtures("worker_of_both")

POLICY = Compaction(trigger_messages=5, keep_last=2)


@pytest.fixture(params=[OpenAIAgent, AnthropicAgent], ids=["openai", "anthropic"])
def agent(request: pytest.FixtureRequest) -> Any:
    """An agent of each provider."""
    return request.param(name="A", functions=["add", "transfer_to_b"])


def summaries(model: ModelServer) -> list[str]:
    """What models were asked to summarise."""
    last = [request.conversation.last for request in model.requests]
    return [said.text for said in last if said is not None and said.text.startswith("<conversation>")]


async def test_old_messages_are_summarised_and_new_ones_stay(
    rojak: Rojak, model: ModelServer, session_id: str, agent: Any
) -> None:
    usage = Usage(input_tokens=500, output_tokens=50)
    model.when(last_user="<conversation>").reply("They added one.", usage=usage)
    script = task("call add", "say one", agent=agent)
    await rojak.run(id=session_id, type="persistent", task=script, compaction=POLICY)
    await rojak.run(id=session_id, type="persistent", task=task("call add", "say two", agent=None))
    response = await rojak.run(id=session_id, type="persistent", task=task("count", agent=None))
    # The last of the tools' results would be without its call, so it went as well.
    texts = [m.text for m in response.result.messages]
    assert texts[:2] == [f"{PREFIX}They added one.", "two"]
    assert roles(response.result) == ["u", "a", "u", "a"]
    assert response.result.session_usage.input_tokens > 500
    (asked,) = summaries(model)
    assert "A calls add({})" in asked
    assert "result of the tool: sum is 1" in asked
    assert "two" not in asked.partition("say two")[2]
    # The model sees the summary, and nothing of what it is about.
    seen = model.requests[-1].conversation
    assert next(m.text for m in seen.messages if m.role == "user").startswith(PREFIX)
    assert "one" not in [m.text for m in seen.messages]
    assert (await rojak.get_config(session_id)).compaction == POLICY


async def test_other_clients_and_other_workers_see_the_same(rojak: Rojak, session_id: str, agent: Any) -> None:
    for index in range(6):
        fields = {"compaction": POLICY} if index == 0 else {}
        # Long enough for windows that do not travel whole.
        lines = f"say {index} {'w' * 1500}"
        response = await rojak.run(id=session_id, type="persistent", task=task(lines, agent=agent), **fields)
        assert answer(response.result).startswith(str(index))
    other = Rojak(rojak.client, rojak.task_queue)
    fetched = await other.get_result(session_id)
    assert isinstance(fetched, OrchestratorResponse)
    config = await other.get_config(session_id)
    assert len(config.messages) <= 5
    again = await other.run(id=session_id, type="persistent", task=task("count", agent=None))
    mine = await rojak.run(id=session_id, type="persistent", task=task("count", agent=None))
    assert [m.text for m in mine.result.messages[:-2]][-2:] == [m.text for m in again.result.messages][-2:]


async def test_a_summary_that_fails_keeps_the_messages_and_is_seen(
    rojak: Rojak, model: ModelServer, session_id: str
) -> None:
    model.when(last_user="<conversation>").error(400, "too long").times(1)
    model.when(last_user="<conversation>").reply("In short.")
    for index in range(3):
        await rojak.run(id=session_id, type="persistent", task=task(f"say {index}"), compaction=POLICY)
    handle = rojak.client.get_workflow_handle(session_id)
    async with asyncio.timeout(20):
        while "Summary of older messages failed:** BadRequestError" not in await _details(handle):
            await asyncio.sleep(0.05)
    response = await rojak.run(id=session_id, type="persistent", task=task("count"))
    # All six messages, the system message and the new one.
    assert answer(response.result) == "8"
    response = await rojak.run(id=session_id, type="persistent", task=task("count"))
    assert response.result.messages[0].text == f"{PREFIX}In short."
    assert "failed" not in await _details(handle)


async def _details(handle: Any) -> str:
    described = await handle.query("__temporal_workflow_metadata")
    return str(described["currentDetails"] if isinstance(described, dict) else described.current_details)


async def test_the_policy_names_model_and_instructions(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    policy = Compaction(trigger_messages=2, keep_last=0, model="small", instructions="Only names.")
    for _ in range(2):
        await rojak.run(id=session_id, type="persistent", task=task("say Hi"), compaction=policy)
    await rojak.run(id=session_id, type="persistent", task=task("say Hi"))
    asked = next(r.conversation for r in model.requests if r.conversation.model == "small")
    assert asked.system == "Only names."
    assert asked.tools == []


async def test_update_config_sets_the_policy_and_takes_it_away(
    rojak: Rojak, model: ModelServer, session_id: str
) -> None:
    await rojak.run(id=session_id, type="persistent", task=task("say Hi"))
    await rojak.update_config(session_id, UpdateConfigParams(compaction=POLICY))
    assert (await rojak.get_config(session_id)).compaction == POLICY
    await rojak.update_config(session_id, UpdateConfigParams(compaction=False))
    assert (await rojak.get_config(session_id)).compaction is None
    for _ in range(3):
        await rojak.run(id=session_id, type="persistent", task=task("say Hi"))
    assert summaries(model) == []
    with pytest.raises(ConfigurationError, match="give Compaction"):
        await rojak.run(id=session_id, type="persistent", task=task("say Hi"), compaction=5)  # type: ignore[arg-type]


async def test_tasks_wait_for_the_summary_and_approvals_go_on_after_it(
    rojak: Rojak, model: ModelServer, session_id: str
) -> None:
    gate = model.when(last_user="<conversation>").reply("In short.").hold()
    try:
        for index in range(3):
            await rojak.run(id=session_id, type="persistent", task=task(f"say {index}"), compaction=POLICY)
        await model.wait_for_requests(4)
        waiting = asyncio.create_task(rojak.run(id=session_id, type="persistent", task=task("call pay", "echo")))
        await asyncio.sleep(0.2)
        assert not waiting.done()
    finally:
        gate.release()
    request = (await waiting).result
    assert isinstance(request, ResumeRequest)
    response = await rojak.run(id=session_id, resume=ResumeResponse(action="approve", tool_id=request.tool_id))
    assert answer(response.result) == "paid 1"
    assert response.result.messages[0].text == f"{PREFIX}In short."


async def test_messages_replaced_meanwhile_win(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    gate = model.when(last_user="<conversation>").reply("Too late.").hold()
    try:
        for index in range(3):
            await rojak.run(id=session_id, type="persistent", task=task(f"say {index}"), compaction=POLICY)
        await model.wait_for_requests(4)
        await rojak.update_config(session_id, UpdateConfigParams(messages=[{"role": "user", "content": "new"}]))
    finally:
        gate.release()
    response = await rojak.run(id=session_id, type="persistent", task=task("say Hi"))
    assert [m.text for m in response.result.messages] == ["new", "say Hi", "Hi"]


async def test_a_session_can_be_cancelled_while_it_summarises(
    rojak: Rojak, model: ModelServer, session_id: str
) -> None:
    gate = model.when(last_user="<conversation>").reply("Never.").hold()
    try:
        for index in range(3):
            await rojak.run(id=session_id, type="persistent", task=task(f"say {index}"), compaction=POLICY)
        await model.wait_for_requests(4)
        await rojak.cancel(session_id)
        status = (await rojak.client.get_workflow_handle(session_id).describe()).status
        assert status is not None
        assert status.name == "CANCELED"
    finally:
        gate.release()


async def test_summaries_and_roll_overs_go_together(rojak: Rojak, model: ModelServer, session_id: str) -> None:
    model.when(last_user="<conversation>").reply("In short.")
    rolling = Rojak(rojak.client, rojak.task_queue, roll_over_after_events=25)
    for index in range(8):
        script = task("call add", f"say {index}", agent=agent_a)
        response = await rolling.run(id=session_id, type="persistent", task=script, compaction=POLICY)
        assert answer(response.result) == str(index)
    assert response.result.context_variables == {"sum": 8}
    assert response.result.messages[0].text == f"{PREFIX}In short."
    assert len(response.result.messages) <= 3 + 4
