"""The scripted model server as users' tests use it."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pytest
from temporalio.client import Client

from rojak import Rojak, TaskParams
from rojak.agents import OpenAIAgent, OpenAIAgentActivities, OpenAIAgentOptions
from rojak.testing import Conversation, ModelServer, Reply, call
from rojak.types.errors import RunFailedError


def client(model: ModelServer) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key="sk-secret", base_url=model.base_url, max_retries=0)


async def ask(model: ModelServer, *texts: str, system: str = "Be kind.", name: str = "gpt-test") -> str:
    messages = [{"role": "system", "content": system}, *({"role": "user", "content": text} for text in texts)]
    completion = await client(model).chat.completions.create(model=name, messages=messages)  # type: ignore[arg-type]  # plain dictionaries
    return completion.choices[0].message.content or ""


async def test_the_first_rule_that_matches_answers(model_server: ModelServer) -> None:
    model_server.when(last_user="weather", system="meteorologist").reply("Professionally: rain.")
    model_server.when(last_user=re.compile("weath?er")).reply("Rain.")
    model_server.when(model="mini").reply("I am small.")
    model_server.otherwise().reply(lambda conversation: f"You said {conversation.last_text('user')}")
    assert await ask(model_server, "weather?") == "Rain."
    assert await ask(model_server, "weather?", system="You are a meteorologist.") == "Professionally: rain."
    assert await ask(model_server, "Hi", name="gpt-mini") == "I am small."
    assert await ask(model_server, "Hi") == "You said Hi"


async def test_answers_come_one_after_another_and_rules_can_be_limited(model_server: ModelServer) -> None:
    model_server.when(last_user="count").reply("one", "two")
    model_server.when(last_user="once").reply("first").times(1)
    model_server.otherwise().reply("otherwise")
    assert [await ask(model_server, "count") for _ in range(3)] == ["one", "two", "two"]
    assert [await ask(model_server, "once") for _ in range(2)] == ["first", "otherwise"]


async def test_a_conversation_without_a_rule_is_an_error_that_lists_them(model_server: ModelServer) -> None:
    model_server.when(last_user="weather").reply("Rain.")
    with pytest.raises(openai.BadRequestError, match=r"no rule.*ends with user: 'Hi'.*when\(last_user='weather'\)"):
        await ask(model_server, "Hi")
    with pytest.raises(AssertionError, match="no rule"):
        model_server.assert_all_matched()


async def test_it_says_why_each_rule_is_not_for_a_conversation(model_server: ModelServer) -> None:
    with pytest.raises(openai.BadRequestError, match=r"the script has no rules; add when"):
        await ask(model_server, "Hi")
    model_server.when(last_user="Hi").reply("Hello").times(1)
    model_server.when(last_user="Hi", system="grumpy").reply("What?")
    assert await ask(model_server, "Hi") == "Hello"
    objections = r"last_user='Hi'\): it was used 1 of 1 times; .*system='grumpy'\): system='grumpy' does not hold"
    with pytest.raises(openai.BadRequestError, match=objections):
        await ask(model_server, "Hi")


def wrong_answer(conversation: Conversation) -> Any:
    return {"text": conversation.system}


def raising(conversation: Conversation) -> Any:
    raise LookupError("nowhere")


async def test_a_script_that_is_wrong_fails_the_test_at_once_and_says_how(model_server: ModelServer) -> None:
    model_server.when(last_user="raise").reply(raising)
    model_server.when(last_user="wrong").reply(wrong_answer)
    model_server.when(last_user="silent").slow(delay=0)
    model_server.when(predicate=raising).reply("never")
    for said, problem in [
        ("raise", r"the function that answers for when\(last_user='raise'\) raised LookupError: nowhere"),
        ("wrong", r"returned a dict; it has to return a text or a Reply"),
        ("silent", r"when\(last_user='silent'\) says no answer: add .reply"),
        ("else", r"the predicate of rule when\(predicate\) raised LookupError: nowhere"),
    ]:
        with pytest.raises(openai.BadRequestError, match=problem):
            await ask(model_server, said)
    assert len(model_server.problems) == len(model_server.requests) == 4
    with pytest.raises(AssertionError, match="raised LookupError: nowhere"):
        model_server.assert_all_matched()


async def test_rules_that_had_no_turn_are_named(model_server: ModelServer) -> None:
    rule = model_server.when(last_user="weather").reply("Rain.")
    model_server.when(last_user="time").reply("Noon.")
    await ask(model_server, "weather")
    assert rule.used == 1
    with pytest.raises(AssertionError, match=r"no conversation came for when\(last_user='time'\)$"):
        model_server.assert_all_used()
    await ask(model_server, "time")
    model_server.assert_all_used()


@pytest.mark.parametrize(
    ("write", "problem"),
    [
        (lambda model: model.when(), r"when\(\) needs a condition"),
        (lambda model: model.otherwise().reply(), r"reply\(\) needs an answer"),
        (lambda model: model.otherwise().reply(3), r"a int is no answer"),
        (lambda model: model.otherwise().reply("a", "b", tool_calls=[call("f")]), "go with one text"),
        (lambda model: model.otherwise().reply(tool_calls=["f"]), r"a str is no tool call; give call\("),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_is_written(
    model_server: ModelServer, write: Callable[[ModelServer], Any], problem: str
) -> None:
    with pytest.raises(TypeError, match=problem):
        write(model_server)


async def test_a_body_that_is_no_json_gets_an_answer(model_server: ModelServer) -> None:
    async with httpx2.AsyncClient() as plain:
        response = await plain.post(f"{model_server.base_url}/chat/completions", content=b"no json")
    assert response.status_code == 404


async def test_requests_are_recorded_without_keys(model_server: ModelServer) -> None:
    model_server.otherwise().reply("ok")
    await ask(model_server, "Hi")
    (request,) = model_server.requests
    assert request.conversation.system == "Be kind."
    assert request.conversation.last_text("user") == "Hi"
    assert "sk-secret" not in str(request.headers)
    model_server.reset()
    assert model_server.requests == []


async def test_a_held_request_waits_until_it_is_released(model_server: ModelServer) -> None:
    gate = model_server.when(last_user="wait").reply("done").hold()
    asking = asyncio.create_task(ask(model_server, "wait"))
    await model_server.wait_for_requests(1)
    assert not asking.done()
    gate.release()
    assert await asking == "done"


async def test_waiting_for_requests_ends(model_server: ModelServer) -> None:
    with pytest.raises(TimeoutError, match="0 of 3 requests"):
        await model_server.wait_for_requests(3, timeout=0.1)


async def test_tool_results_since_the_user_spoke_are_at_hand(model_server: ModelServer) -> None:
    def answer(conversation: Conversation) -> Reply:
        results = conversation.tool_results
        return Reply(" and ".join(results)) if results else Reply(tool_calls=[call("f", x=1), call("f", x=2)])

    model_server.otherwise().reply(answer)
    first = await client(model_server).chat.completions.create(model="m", messages=[{"role": "user", "content": "go"}])
    calls = first.choices[0].message.tool_calls or []
    results = [{"role": "tool", "tool_call_id": c.id, "content": f"r{n}"} for n, c in enumerate(calls)]
    messages = [{"role": "user", "content": "go"}, first.choices[0].message.model_dump(exclude_none=True), *results]
    second = await client(model_server).chat.completions.create(model="m", messages=messages)  # type: ignore[arg-type]  # plain dictionaries
    assert second.choices[0].message.content == "r0 and r1"


def test_a_server_that_was_stopped_is_gone() -> None:
    with ModelServer() as server:
        assert httpx2.get(server.url).status_code == 200
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(server.url)


def test_two_servers_do_not_meet() -> None:
    with ModelServer() as one, ModelServer() as two:
        assert one.url != two.url


def test_the_pytest_plugin_costs_nothing_until_it_is_used() -> None:
    script = "import sys, rojak.testing.pytest_plugin\nprint([m for m in ('h11', 'openai') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert "openai" not in result.stdout


async def test_a_run_that_the_script_does_not_foresee_fails_at_once_with_the_reason(
    model_server: ModelServer, temporal_client: Client, task_queue: str
) -> None:
    model_server.when(last_user="weather").reply("Rain.")
    rojak = Rojak(temporal_client, task_queue)
    options = OpenAIAgentOptions(api_key="test", base_url=model_server.base_url)
    async with rojak.create_worker([OpenAIAgentActivities(options)]):
        task = TaskParams(agent=OpenAIAgent(), messages=[{"role": "user", "content": "Hi"}])
        with pytest.raises(RunFailedError, match=r"ends with user: 'Hi'.*last_user='weather' does not hold"):
            await rojak.run(id=task_queue, task=task)
    assert len(model_server.requests) == 1
