"""What a history holds of a run: what is needed and no more, since every run is kept for weeks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from rojak import Rojak
from rojak.agents import OpenAIAgent
from rojak.types import OrchestratorResponse
from rojak.types.activities import CALL_MODEL
from tests.integration.session.conftest import answer, task

pytestmark = pytest.mark.usefixtures("worker")

AGENT = OpenAIAgent(name="Adder", functions=["add", "transfer_to_b"])


async def stored_results(handle: WorkflowHandle[Any, Any]) -> list[dict[str, Any]]:
    """The results of the activities, then that of the workflow."""
    payloads = []
    async for event in handle.fetch_history_events():
        payloads += event.activity_task_completed_event_attributes.result.payloads
        payloads += event.workflow_execution_completed_event_attributes.result.payloads
    return [json.loads(payload.data) for payload in payloads]


async def test_what_the_task_says_and_what_has_its_default_is_not_stored_again(rojak: Rojak, session_id: str) -> None:
    response = await rojak.run(id=session_id, task=task("call add", "say done", agent=AGENT))
    asked, added, said, reply = await stored_results(response.workflow_handle)
    assert asked.keys() == {"role", "tool_calls", "usage", "id"}
    assert added.keys() == {"kind", "output", "patch"}
    assert said.keys() == {"role", "content", "usage", "id"}
    assert reply.keys() == {"messages", "context_variables"}
    # And whoever asks gets all of it, whether it sent the task or not.
    assert [message.sender for message in response.result.messages] == [None, "Adder", "Adder", "Adder"]
    other = Rojak(rojak.client, rojak.task_queue)
    result = await other.get_result(session_id)
    assert isinstance(result, OrchestratorResponse)
    assert result == response.result
    assert result.agent == AGENT


async def test_an_agent_travels_once(rojak: Rojak, session_id: str) -> None:
    response = await rojak.run(id=session_id, task=task("call add", "call add", "say done", agent=AGENT))
    asked = []
    async for event in response.workflow_handle.fetch_history_events():
        scheduled = event.activity_task_scheduled_event_attributes
        if scheduled.activity_type.name == CALL_MODEL:
            asked += [json.loads(payload.data) for payload in scheduled.input.payloads]
    assert [("agent" in request, "agent_key" in request) for request in asked] == [
        (True, False),
        (False, True),
        (False, True),
    ]


async def test_a_hand_off_is_told_from_the_agent_that_the_task_named(rojak: Rojak, session_id: str) -> None:
    response = await rojak.run(id=session_id, task=task("call transfer_to_b", "say done", agent=AGENT))
    assert response.task_id
    assert [message.sender for message in response.result.messages] == [None, "Adder", "Adder", "B"]
    result = await Rojak(rojak.client, rojak.task_queue).get_result(session_id)
    assert result == response.result


async def test_a_short_run_takes_less_than_4_kb(rojak: Rojak, session_id: str) -> None:
    agent = OpenAIAgent(name="Bench", functions=["refund"], instructions="You are a bench agent.")
    response = await rojak.run(id=session_id, task=task("call refund", "say done", agent=agent))
    assert answer(response.result) == "done"
    history = await response.workflow_handle.fetch_history()
    # Names of machines and task queues are as long as they are.
    names = sum(str(event).count(rojak.client.identity) for event in history.events) * len(rojak.client.identity)
    queues = sum(str(event).count(rojak.task_queue) for event in history.events) * len(rojak.task_queue)
    assert sum(event.ByteSize() for event in history.events) - names - queues < 3800
