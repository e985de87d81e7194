"""The echo of an own write wakes nobody; whatever others change does, in whatever order answers and events arrive."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rojak_operator.own_writes import OwnWrites
from rojak_operator.resources import BY_KIND, Key, key_of
from rojak_operator.store import Store, make_stored

AGENT_KEY = Key("Agent", "ns", "a")
DEPLOYMENT_KEY = Key("Deployment", "ns", "a-agent")


class Harness:
    """Writes with answers that the test gives when it wants to."""

    def __init__(self) -> None:
        self.store = Store()
        self.woken: list[Key] = []
        self.writes = OwnWrites(self.store, lambda key, delay: self.woken.append(key))

    def have(self, obj: dict[str, Any]) -> None:
        """It was there when the operator began."""
        self.store.put(*make_stored(BY_KIND[obj["kind"]], obj))

    async def write(self, key: Key, **more: Any) -> tuple[asyncio.Future[dict[str, Any]], asyncio.Task[dict[str, Any]]]:
        """A write that waits for its answer."""
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self.writes.do(BY_KIND[key.kind], key, answer, **more))
        await asyncio.sleep(0)
        return answer, task

    def event(self, obj: dict[str, Any], *, is_listed: bool = False) -> None:
        self.writes.learn(BY_KIND[obj["kind"]], obj, is_listed=is_listed)

    def version(self, key: Key) -> str | None:
        stored = self.store.get(key)
        return stored.resource_version if stored else None


def agent(version: int, *, generation: int = 1, **spec: Any) -> dict[str, Any]:
    metadata = {"namespace": "ns", "name": "a", "uid": "u1", "resourceVersion": str(version), "generation": generation}
    return {"kind": "Agent", "metadata": metadata, "spec": spec}


def deployment(version: int) -> dict[str, Any]:
    owner = {"apiVersion": "rojak.dev/v1alpha1", "kind": "Agent", "name": "a", "uid": "u1", "controller": True}
    metadata = {
        "namespace": "ns", "name": "a-agent", "uid": "u2", "resourceVersion": str(version), "ownerReferences": [owner]
    }  # fmt: skip
    return {"kind": "Deployment", "metadata": metadata}


@pytest.fixture
def harness() -> Harness:
    found = Harness()
    found.have(agent(1))
    return found


async def test_an_event_after_the_answer_is_an_echo(harness: Harness) -> None:
    answer, task = await harness.write(DEPLOYMENT_KEY)
    answer.set_result(deployment(2))
    assert await task == deployment(2)
    assert harness.version(DEPLOYMENT_KEY) == "2"
    harness.event(deployment(2))
    assert harness.woken == []


async def test_an_event_before_the_answer_is_an_echo_too(harness: Harness) -> None:
    answer, task = await harness.write(DEPLOYMENT_KEY)
    harness.event(deployment(2))
    assert harness.version(DEPLOYMENT_KEY) == "2"
    answer.set_result(deployment(2))
    await task
    assert harness.woken == []
    harness.event(deployment(3))
    assert harness.woken == [AGENT_KEY]


async def test_two_writes_of_which_no_event_has_come_yet_are_both_known(harness: Harness) -> None:
    for version in (2, 3):
        answer, task = await harness.write(AGENT_KEY, generation=1)
        answer.set_result(agent(version))
        await task
    harness.event(agent(2))
    assert harness.version(AGENT_KEY) == "3", "an echo does not turn time back"
    harness.event(agent(3))
    assert harness.woken == []


@pytest.mark.parametrize("other_first", [True, False])
async def test_what_somebody_else_changes_during_a_write_is_news(harness: Harness, other_first: bool) -> None:
    answer, task = await harness.write(DEPLOYMENT_KEY)
    for version in (2, 3):
        harness.event(deployment(version))
    assert harness.woken == [], "until it is known which one is ours"
    answer.set_result(deployment(3 if other_first else 2))
    await task
    assert harness.woken == [AGENT_KEY]
    assert harness.version(DEPLOYMENT_KEY) == "3"


async def test_what_somebody_else_changed_just_before_a_write_is_news_though_its_event_comes_late(
    harness: Harness,
) -> None:
    answer, task = await harness.write(DEPLOYMENT_KEY)
    answer.set_result(deployment(3))
    await task
    harness.event(deployment(2))
    assert harness.woken == [AGENT_KEY]
    harness.event(deployment(3))
    assert harness.version(DEPLOYMENT_KEY) == "3"


async def test_an_answer_of_another_generation_is_left_to_its_event(harness: Harness) -> None:
    answer, task = await harness.write(AGENT_KEY, generation=1)
    answer.set_result(agent(3, generation=2))
    await task
    assert harness.version(AGENT_KEY) == "1"
    harness.event(agent(3, generation=2))
    assert harness.woken == [AGENT_KEY]
    assert harness.version(AGENT_KEY) == "3"


async def test_what_is_deleted_during_a_write_stays_forgotten(harness: Harness) -> None:
    answer, task = await harness.write(DEPLOYMENT_KEY)
    harness.event(deployment(2))
    harness.writes.forget(DEPLOYMENT_KEY, "u2")
    answer.set_result(deployment(2))
    await task
    assert harness.store.get(DEPLOYMENT_KEY) is None
    assert AGENT_KEY in harness.woken


async def test_a_write_that_failed_hides_nothing(harness: Harness) -> None:
    answer, task = await harness.write(DEPLOYMENT_KEY)
    harness.event(deployment(2))
    answer.set_exception(ConnectionError())
    with pytest.raises(ConnectionError):
        await task
    assert harness.woken == [AGENT_KEY]


async def test_a_listing_wakes_all_that_it_names(harness: Harness) -> None:
    harness.event(agent(1), is_listed=True)
    assert harness.woken == [AGENT_KEY]
    answer, task = await harness.write(AGENT_KEY, generation=1)
    answer.set_result(agent(2))
    await task
    harness.event(agent(2), is_listed=True)
    assert harness.woken == [AGENT_KEY, AGENT_KEY]


async def test_the_status_of_a_pool_is_news_for_its_agents_alone(harness: Harness) -> None:
    pool = {"kind": "WorkerPool", "metadata": {"namespace": "ns", "name": "p", "uid": "u3", "resourceVersion": "5"}}
    harness.have(pool)
    harness.have(agent(2, workerPoolRef={"name": "p"}))
    answer, task = await harness.write(key_of(pool))
    answer.set_result(pool | {"metadata": pool["metadata"] | {"resourceVersion": "6"}})
    await task
    assert harness.woken == [AGENT_KEY]


async def test_the_status_of_an_agent_is_no_news_for_its_schedules(harness: Harness) -> None:
    metadata = {"namespace": "ns", "name": "s", "uid": "u4", "resourceVersion": "5"}
    schedule = {"kind": "Schedule", "metadata": metadata, "spec": {"agentRef": {"name": "a"}}}
    harness.have(schedule)
    answer, task = await harness.write(AGENT_KEY, generation=1)
    answer.set_result(agent(2))
    await task
    harness.event(agent(2))
    assert harness.woken == []
    harness.event(agent(3, generation=2))
    assert harness.woken == [AGENT_KEY, key_of(schedule)]


async def test_a_secret_is_news_for_the_schedules_whose_agents_or_pools_may_log_in_with_it(harness: Harness) -> None:
    def obj(kind: str, name: str, uid: str, **spec: Any) -> dict[str, Any]:
        metadata = {"namespace": "ns", "name": name, "uid": uid, "resourceVersion": "1"}
        return {"kind": kind, "metadata": metadata, **({"spec": spec} if spec else {})}

    key = {"secretKeyRef": {"name": "login", "key": "api-key"}}
    pool = obj("WorkerPool", "p", "u3", temporal={"apiKey": key})
    schedule = obj("Schedule", "s", "u4", agentRef={"name": "a"})
    harness.have(pool)
    harness.have(schedule)
    harness.have(agent(2, workerPoolRef={"name": "p"}))
    harness.event(obj("Secret", "login", "u5"))
    assert harness.woken == [key_of(pool), AGENT_KEY, key_of(schedule)]
