"""That a retriever found something, or failed, is seen: in events, in the answer, and in metrics."""

from __future__ import annotations

import pytest
from temporalio.client import Client
from temporalio.runtime import BufferedMetricUpdate, MetricBuffer, Runtime, TelemetryConfig

from rojak import OrchestratorResponse, Rojak, TaskParams
from rojak.agents import Interrupt, OpenAIAgent
from rojak.client import Done, RetrievalFailed, Retrieved, Started, TextDelta, WaitingForApproval
from rojak.testing import ModelServer, Reply, call
from rojak.types import ResumeResponse
from tests.integration.retrievers.knowledge import provider
from tests.integration.retrievers.shelf import ShelfActivities, ShelfRetriever


def task(said: str, **fields: object) -> TaskParams:
    agent = OpenAIAgent(instructions="Answer.", retriever=ShelfRetriever(shelf="B"), **fields)  # type: ignore[arg-type]
    return TaskParams(agent=agent, messages=[{"role": "user", "content": said}])


@pytest.mark.parametrize("session_type", ["stateless", "persistent"])
@pytest.mark.parametrize(
    ("said", "event"),
    [
        ("find me", Retrieved("Agent", "shelf", ["shelf B"])),
        ("text", Retrieved("Agent", "shelf", [])),
        ("nothing", Retrieved("Agent", "shelf", [])),
        (
            "fail",
            RetrievalFailed(
                "Agent", "shelf", "LookupError", "the retriever raised it; its log at level DEBUG has the traceback"
            ),
        ),
    ],
)
async def test_whoever_watches_sees_what_was_found_or_that_it_failed(
    rojak: Rojak, model_server: ModelServer, said: str, event: Retrieved | RetrievalFailed, session_type: str
) -> None:
    model_server.otherwise().reply("Fine.")
    async with rojak.create_worker([provider(model_server), ShelfActivities()]):
        stream = rojak.stream(id=rojak.task_queue, type=session_type, task=task(said))
        events = [e async for e in stream if not isinstance(e, TextDelta)]
    started, seen, done = events
    assert isinstance(started, Started)
    assert seen == event
    assert isinstance(done, Done)
    (retrieval,) = done.result.retrievals
    assert retrieval.sources == getattr(event, "sources", [])


async def test_it_is_seen_once_although_the_turn_waits_for_a_human(rojak: Rojak, model_server: ModelServer) -> None:
    model_server.when(last_role="user").reply(tool_calls=[call("pay")])
    model_server.otherwise().reply(lambda conversation: Reply(conversation.system))

    def pay() -> str:
        """Pay."""
        return "paid"

    async with rojak.create_worker([provider(model_server, pay), ShelfActivities()]):
        asked = task("find me", functions=["pay"], interrupts=[Interrupt("pay")])
        events = [e async for e in rojak.stream(id=rojak.task_queue, type="persistent", task=asked)]
        assert [type(e) for e in events if isinstance(e, Retrieved)] == [Retrieved]
        waiting = events[-1]
        assert isinstance(waiting, WaitingForApproval)
        approve = ResumeResponse(action="approve", tool_id=waiting.requests[0].tool_id)
        events = [e async for e in rojak.stream(id=rojak.task_queue, resume=approve)]
    assert not [e for e in events if isinstance(e, Retrieved)]
    done = events[-1]
    assert isinstance(done, Done)
    assert "find me" in done.result.messages[-1].text
    assert len(done.result.retrievals) == 1


async def test_look_ups_are_counted_by_how_they_ended(
    temporal_address: str, task_queue: str, model_server: ModelServer
) -> None:
    buffer = MetricBuffer(10_000)
    runtime = Runtime(telemetry=TelemetryConfig(metrics=buffer))
    client = await Client.connect(temporal_address, runtime=runtime)
    rojak = Rojak(client, task_queue)
    model_server.otherwise().reply("Fine.")
    # Replaying the workflow for each task counts nothing twice.
    async with rojak.create_worker([provider(model_server), ShelfActivities()], max_cached_workflows=0):
        for said in ("find me", "fail", "nothing", "text"):
            response = await rojak.run(id=task_queue, type="persistent", task=task(said))
            assert isinstance(response.result, OrchestratorResponse)
            counted = [u for u in buffer.retrieve_updates() if u.metric.name == "rojak_retrievals"]
            assert [labels(u)["outcome"] for u in counted] == [
                {"find me": "found", "text": "found", "nothing": "empty", "fail": "failed"}[said]
            ]
            assert labels(counted[0])["retriever"] == "shelf"
            assert said not in labels(counted[0]).values()


def labels(update: BufferedMetricUpdate) -> dict[str, object]:
    return dict(update.attributes)
