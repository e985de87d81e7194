"""What a worker still holds of runs that are over: nothing, and without waiting for Python's garbage collector."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rojak import Rojak
from rojak.agents import OpenAIAgentActivities
from rojak.session.reply import Reply
from rojak.session.state import SessionState
from rojak.types import ConversationMessage
from rojak.workflows.orchestrator import OrchestratorWorkflow
from tests.integration.session.conftest import answer, task
from tests.integration.session.test_rollover import count_runs

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def without_collector() -> Iterator[None]:
    """No garbage collector: what is in a cycle stays."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect()


def count(kind: type) -> int:
    """Objects of a type in this process, reachable or not."""
    return sum(type(found) is kind for found in gc.get_objects())


async def until(is_so: Callable[[], bool], what: Callable[[], Any], *, patience: float = 30) -> None:
    """Wait for what the worker does when the answer is out already."""
    try:
        async with asyncio.timeout(patience):
            while not is_so():
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"there are {what()}")


@pytest.mark.usefixtures("without_collector")
async def test_runs_that_rolled_over_leave_nothing_behind(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str
) -> None:
    workflows, states = count(OrchestratorWorkflow), count(SessionState)
    rolling = Rojak(rojak.client, rojak.task_queue, roll_over_after_events=30)
    async with rolling.create_worker([activities]):
        for number in range(30):
            response = await rolling.run(id=session_id, type="persistent", task=task(f"say answer {number}"))
            assert answer(response.result) == f"answer {number}"
        assert await count_runs(rolling, session_id) > 5
        # The session's latest run is in the worker's cache. So is the one before, until its eviction.
        await until(
            lambda: count(OrchestratorWorkflow) <= workflows + 1 and count(SessionState) <= states + 1,
            lambda: (count(OrchestratorWorkflow) - workflows, count(SessionState) - states),
        )
        await rolling.cancel(session_id)
        await until(
            lambda: count(OrchestratorWorkflow) <= workflows and count(SessionState) <= states,
            lambda: (count(OrchestratorWorkflow) - workflows, count(SessionState) - states),
        )


@pytest.mark.usefixtures("without_collector")
async def test_stateless_runs_leave_nothing_behind(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str
) -> None:
    workflows, states = count(OrchestratorWorkflow), count(SessionState)

    async def run(number: int) -> None:
        response = await rojak.run(id=f"{session_id}-{number}", task=task("call add", f"say answer {number}"))
        assert answer(response.result) == f"answer {number}"

    async with rojak.create_worker([activities]):
        await asyncio.gather(*map(run, range(20)))
        await until(
            lambda: count(OrchestratorWorkflow) <= workflows and count(SessionState) <= states,
            lambda: (count(OrchestratorWorkflow) - workflows, count(SessionState) - states),
        )


@pytest.mark.usefixtures("without_collector")
async def test_idle_sessions_that_make_room_for_others_leave_nothing_behind(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str
) -> None:
    workflows, states = count(OrchestratorWorkflow), count(SessionState)
    async with rojak.create_worker([activities], max_cached_workflows=3):
        for number in range(12):
            response = await rojak.run(id=f"{session_id}-{number}", type="persistent", task=task(f"say {number}"))
            assert answer(response.result) == str(number)
        await until(
            lambda: count(OrchestratorWorkflow) <= workflows + 3 and count(SessionState) <= states + 3,
            lambda: (count(OrchestratorWorkflow) - workflows, count(SessionState) - states),
        )
        # They are no less alive for it.
        response = await rojak.run(id=f"{session_id}-0", type="persistent", task=task("say again"))
        assert answer(response.result) == "again"


@pytest.mark.parametrize("words", [1, 200], ids=["sent whole", "sent in parts"])
async def test_a_long_session_takes_no_more_than_a_short_one(
    rojak: Rojak, activities: OpenAIAgentActivities, session_id: str, words: int
) -> None:
    """Messages and replies that are reachable: those of a session and those that its worker remembers."""

    def look() -> tuple[int, int]:
        gc.collect()
        return count(ConversationMessage), count(Reply)

    before = look()
    rolling = Rojak(rojak.client, rojak.task_queue, roll_over_after_events=60)
    async with rolling.create_worker([activities]):
        for number in range(120):
            text = f"answer {number} " + "word " * words
            params = task(f"say {text}")
            response = await rolling.run(id=session_id, type="persistent", task=params, history_size=4)
            assert answer(response.result).split() == text.split()
        del response, params
        assert await count_runs(rolling, session_id) > 10
        messages, replies = (now - then for now, then in zip(look(), before, strict=True))
        # The last 64 replies with what was generated for them, the conversation as its session, worker and client have
        # it, and what was dropped since the last roll-over. Twice, while the run before waits for its eviction.
        assert replies <= 2 * 64 + 2
        assert messages < replies + 60
