"""Agents by name: their workers have the definitions, on task queues of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from temporalio.client import Client

from rojak import Interrupt, ResumeResponse, Rojak
from rojak.agents import Agent, AgentInstructionOptions, AgentRef, HandOffTool, OpenAIAgent, OpenAIAgentActivities
from rojak.testing import ModelServer
from rojak.types import AgentLimits, ResumeRequest
from rojak.types.errors import ConfigurationError, RunFailedError
from tests.integration.retrievers.shelf import ShelfActivities, ShelfRetriever
from tests.integration.session.conftest import answer, running, task


def by_name(*script: str, name: str = "triage", **fields: Any) -> Any:
    return task(*script, agent=AgentRef(name), **fields)  # type: ignore[arg-type]


@pytest.fixture
def other_queue(task_queue: str) -> str:
    return f"{task_queue}.billing"


@pytest.fixture
def triage(other_queue: str) -> OpenAIAgent:
    billing = HandOffTool(AgentRef("billing", task_queue=other_queue), "Knows bills")
    return OpenAIAgent(name="triage", instructions="You sort.", functions=["add"], tools=[billing])


BILLING = OpenAIAgent(name="billing", instructions="You bill.", functions=["note"])


@pytest.fixture
async def two_workers(
    rojak: Rojak,
    temporal_client: Client,
    other_queue: str,
    triage: OpenAIAgent,
    activities: OpenAIAgentActivities,
    worker_options: dict[str, Any],
) -> AsyncIterator[None]:
    there = Rojak(temporal_client, task_queue=other_queue)
    async with (
        running(rojak, activities, agents=[triage], **worker_options),
        running(there, activities, agents=[BILLING], **worker_options),
    ):
        yield


async def queues_of(rojak: Rojak, session_id: str) -> list[tuple[str, str]]:
    """Which activity ran on which queue."""
    history = await rojak.client.get_workflow_handle(session_id).fetch_history()
    scheduled = [
        event.activity_task_scheduled_event_attributes
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    return [(event.activity_type.name, event.task_queue.name) for event in scheduled]


@pytest.mark.usefixtures("two_workers")
async def test_a_conversation_goes_by_name_from_queue_to_queue(
    rojak: Rojak, task_queue: str, other_queue: str, session_id: str
) -> None:
    script = by_name("call add", "call transfer_to_billing", 'call note {"key": "k", "value": "v"}', "instructions")
    response = await rojak.run(id=session_id, type="persistent", task=script)
    assert answer(response.result) == "You bill."
    assert response.result.agent == AgentRef("billing", task_queue=other_queue)
    assert [m.sender for m in response.result.messages if m.role == "assistant"] == [
        "triage",
        "triage",
        "billing",
        "billing",
    ]
    assert await queues_of(rojak, session_id) == [
        ("rojak.call_model", task_queue),
        ("rojak.call_tool", task_queue),
        ("rojak.call_model", task_queue),
        ("rojak.call_model", other_queue),
        ("rojak.call_tool", other_queue),
        ("rojak.call_model", other_queue),
    ]
    # It goes on with whoever is active now, and with whom the caller names.
    again = await rojak.run(id=session_id, type="persistent", task=task("instructions", agent=None))
    assert answer(again.result) == "You bill."
    again = await rojak.run(id=session_id, type="persistent", task=by_name("instructions"))
    assert answer(again.result) == "You sort."


async def test_a_change_reaches_a_session_with_its_next_turn_and_a_pinned_one_never(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str, model: ModelServer
) -> None:
    def agents(text: str) -> list[Agent]:
        return [OpenAIAgent(name=name, instructions=text, pinned=name == "pinned") for name in ("triage", "pinned")]

    async def said(name: str) -> str:
        task = by_name("instructions", name=name)
        return answer((await rojak.run(id=f"{session_id}-{name}", type="persistent", task=task)).result)

    async with running(rojak, activities, agents=agents("Old.")):
        assert [await said("triage"), await said("pinned")] == ["Old.", "Old."]
    async with running(rojak, activities, agents=agents("New.")):
        assert [await said("triage"), await said("pinned")] == ["New.", "Old."]
        assert [await said("triage"), await said("pinned")] == ["New.", "Old."]
    events = (await rojak.client.get_workflow_handle(f"{session_id}-triage").fetch_history()).events
    replies = [
        event.activity_task_completed_event_attributes.result.payloads[0].data
        for event in events
        if event.HasField("activity_task_completed_event_attributes")
    ]
    assert [b"refreshed" in data for data in replies] == [True, True, False]


@pytest.mark.usefixtures("two_workers")
async def test_a_name_that_nobody_knows_is_one_clear_error(rojak: Rojak, session_id: str) -> None:
    with pytest.raises(RunFailedError, match=r"no agent 'nobody'; it knows by name: 'triage'"):
        await rojak.run(id=session_id, task=by_name("say hi", name="nobody"))


@pytest.mark.usefixtures("two_workers")
async def test_a_stateless_run_is_continued_by_name(rojak: Rojak, session_id: str) -> None:
    first = await rojak.run(id=session_id, task=by_name("call transfer_to_billing", "say hi"))
    assert first.result.agent is not None
    second = await rojak.run(id=f"{session_id}-2", task=task("instructions", agent=first.result.agent))  # type: ignore[arg-type]
    assert answer(second.result) == "You bill."


async def test_a_hand_off_can_wait_for_a_human(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str, triage: OpenAIAgent
) -> None:
    careful = OpenAIAgent(
        name="triage",
        tools=[HandOffTool(AgentRef("billing"), "Knows bills")],
        interrupts=[Interrupt("transfer_to_billing")],
    )
    async with running(rojak, activities, agents=[careful, BILLING]):
        script = by_name("call transfer_to_billing", "instructions")
        waiting = await rojak.run(id=session_id, type="persistent", task=script)
        assert isinstance(waiting.result, ResumeRequest)
        approval = ResumeResponse(action="approve", tool_id=waiting.result.tool_id)
        response = await rojak.run(id=session_id, resume=approval)
        assert answer(response.result) == "You bill."


async def test_what_a_definition_says_counts_from_the_first_call_on(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str
) -> None:
    agent = OpenAIAgent(
        name="triage",
        instructions=AgentInstructionOptions(name="instructions"),
        functions=["add"],
        context_variables={"user": "Ada", "sum": 40},
        limits=AgentLimits(max_turns=4),
    )
    async with running(rojak, activities, agents=[agent]):
        response = await rojak.run(id=session_id, type="persistent", task=by_name("instructions"))
        assert answer(response.result) == "Help Ada."
        response = await rojak.run(id=session_id, type="persistent", task=by_name(*["call add"] * 9))
        assert response.result.context_variables["sum"] == 42
        assert response.result.limit is not None
        assert response.result.limit.kind == "max_turns"


@pytest.mark.usefixtures("two_workers")
async def test_a_named_agent_survives_a_roll_over(rojak: Rojak, session_id: str, temporal_client: Client) -> None:
    rolling = Rojak(temporal_client, rojak.task_queue, roll_over_after_events=20)
    notes = ['call note {"key": "k", "value": "v"}'] * 4
    script = by_name(*["call add"] * 4, "call transfer_to_billing", *notes, "echo")
    response = await rolling.run(id=session_id, type="persistent", task=script)
    assert response.result.agent is not None
    assert response.result.agent.name == "billing"
    assert response.result.context_variables == {"sum": 4, "notes": {"k": "v"}}


async def test_an_agent_that_comes_by_name_looks_things_up_from_its_first_turn_on(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str, model: ModelServer
) -> None:
    agent = OpenAIAgent(name="triage", functions=["add"], retriever=ShelfRetriever())
    async with running(rojak, activities, ShelfActivities(), agents=[agent]):
        first = await rojak.run(id=session_id, type="persistent", task=by_name("call add", "say found"))
        second = await rojak.run(id=session_id, type="persistent", task=by_name("say found"))
    systems = [request.conversation.system for request in model.requests]
    assert all("Retrieved context:" in system for system in systems)
    assert [len(response.result.retrievals) for response in (first, second)] == [1, 1]  # type: ignore[union-attr]


async def test_definitions_that_cannot_work_are_refused_before_the_worker_starts(
    rojak: Rojak, activities: OpenAIAgentActivities
) -> None:
    with pytest.raises(ConfigurationError, match="two agents are named 'triage'"):
        rojak.create_worker([activities], agents=[OpenAIAgent(name="triage"), OpenAIAgent(name="triage")])
    with pytest.raises(ConfigurationError, match="only a name"):
        rojak.create_worker([activities], agents=[AgentRef("triage")])
    with pytest.raises(ConfigurationError, match="at most 65536 fit"):
        rojak.create_worker([activities], agents=[OpenAIAgent(name="triage", instructions="x" * 70_000)])
    with pytest.raises(ConfigurationError, match="has type 'other'"):
        rojak.create_worker([activities], agents=[Agent(type="other", model="m", name="triage")])
