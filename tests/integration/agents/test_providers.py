"""The providers' real SDKs against a server that speaks their protocols: what is sent, and what comes of the answer."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from typing import Any

import anthropic
import openai
import pytest

from rojak.agents import (
    Agent,
    AgentActivities,
    AnthropicAgent,
    AnthropicAgentActivities,
    AnthropicAgentOptions,
    CompletionRequest,
    EmptyCompletionError,
    OpenAIAgent,
    OpenAIAgentActivities,
    OpenAIAgentOptions,
)
from rojak.testing import ModelServer, Reply, Usage, call
from rojak.tools import function_to_json
from rojak.types import ConversationMessage, FunctionCall, RetryOptions, ToolCall
from rojak.types.errors import ConfigurationError


def lookup(topic: str) -> str:
    """Look a topic up."""
    return topic


TOOLS = [function_to_json(lookup)]


def make(provider: str, model: ModelServer, **options: Any) -> AgentActivities:
    if provider == "openai":
        return OpenAIAgentActivities(OpenAIAgentOptions(api_key="sk-test", base_url=model.base_url, **options))
    url = model.anthropic_base_url
    return AnthropicAgentActivities(AnthropicAgentOptions(api_key="sk-test", base_url=url, **options))


def agent_of(provider: str, **fields: Any) -> Agent:
    return OpenAIAgent(**fields) if provider == "openai" else AnthropicAgent(**fields)


def ask(agent: Agent, *messages: ConversationMessage, **fields: Any) -> CompletionRequest:
    said = messages or (ConversationMessage(role="user", content="Hi"),)
    return CompletionRequest(agent=agent, instructions="Be brief.", messages=said, **{"tools": [], **fields})


EACH = pytest.mark.parametrize("provider", ["openai", "anthropic"])
STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


@EACH
@STREAMED
async def test_text_calls_and_usage_come_back(model_server: ModelServer, provider: str, streamed: bool) -> None:
    usage = Usage(input_tokens=100, output_tokens=20, cached_tokens=60)
    model_server.otherwise().reply(
        Reply("Let me see.", [call("lookup", topic="tea"), call("lookup", topic="ünïcode")], usage)
    )
    heard: list[str] = []
    request = ask(agent_of(provider, name="A"), tools=TOOLS, on_text=heard.append if streamed else None)
    message = await make(provider, model_server).complete(request)
    assert (message.role, message.sender, message.content, message.usage) == ("assistant", "A", "Let me see.", usage)
    assert [call.function.name for call in message.tool_calls or []] == ["lookup", "lookup"]
    topics = [json.loads(call.function.arguments)["topic"] for call in message.tool_calls or []]
    assert topics == ["tea", "ünïcode"]
    if streamed:
        assert "".join(heard) == "Let me see."
        assert len(heard) > 1


@EACH
async def test_nothing_is_sent_that_nobody_set(model_server: ModelServer, provider: str) -> None:
    model_server.otherwise().reply("ok")
    await make(provider, model_server).complete(ask(agent_of(provider, model="some-model")))
    body = dict(model_server.requests[0].conversation.body)
    required = {"openai": {"model", "messages"}, "anthropic": {"model", "messages", "system", "max_tokens"}}
    assert body.keys() == required[provider]
    assert body["model"] == "some-model"


@EACH
async def test_what_was_set_is_sent_as_it_is(model_server: ModelServer, provider: str) -> None:
    model_server.otherwise().reply("ok")
    config = {"temperature": 0.1, "max_tokens": 77, "brand_new_parameter": {"a": [1]}}
    activities = make(provider, model_server, inference_config=config)
    agent = agent_of(provider, parallel_tool_calls=False, tool_choice="required")
    for _ in range(2):
        await activities.complete(ask(agent, tools=TOOLS))
    for request in model_server.requests:
        body = request.conversation.body
        assert (body["temperature"], body["max_tokens"], body["brand_new_parameter"]) == (0.1, 77, {"a": [1]})
        if provider == "openai":
            assert (body["tool_choice"], body["parallel_tool_calls"]) == ("required", False)
        else:
            assert body["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    assert config == {"temperature": 0.1, "max_tokens": 77, "brand_new_parameter": {"a": [1]}}


@EACH
async def test_a_conversation_with_calls_and_results_is_understood(model_server: ModelServer, provider: str) -> None:
    """Also one that the other provider, or a sloppy server, had a part in: odd ids, malformed arguments."""
    model_server.otherwise().reply("ok")
    odd = "call:with/odd characters and a length that no provider takes, since it is longer than sixty-four"
    calls = [
        ToolCall(id="c1", function=FunctionCall(name="lookup", arguments='{"topic": "tea"}')),
        ToolCall(id=odd, function=FunctionCall(name="lookup", arguments='{"topic": ')),
    ]
    await make(provider, model_server).complete(
        ask(
            agent_of(provider),
            ConversationMessage(role="user", content="Look it up", name="Ann"),
            ConversationMessage(role="assistant", tool_calls=calls, sender="Other", usage=Usage(), id="x"),
            ConversationMessage(role="tool", content="one", tool_call_id="c1", sender="Other"),
            ConversationMessage(role="tool", content="two", tool_call_id=odd),
            ConversationMessage(role="user", content="And?"),
            tools=TOOLS,
        )
    )
    seen = model_server.requests[0].conversation
    assert seen.system == "Be brief."
    assert seen.tools == ["lookup"]
    said = [m for m in seen.messages if m.role != "system"]
    assert [(m.role, m.text) for m in said] == [
        ("user", "Look it up"),
        ("assistant", ""),
        ("tool", "one"),
        ("tool", "two"),
        ("user", "And?"),
    ]
    assert [c.id for c in said[1].tool_calls] == [m.tool_call_id for m in said[2:4]]
    assert all(len(c.id) <= 40 for c in said[1].tool_calls)
    text = str(seen.body)
    assert "sender" not in text
    assert "usage" not in text


@EACH
@pytest.mark.parametrize(
    ("status", "retryable"),
    [(400, False), (401, False), (404, False), (408, True), (409, True), (429, True), (503, True)],
)
async def test_errors_are_judged_by_their_status(
    model_server: ModelServer, provider: str, status: int, retryable: bool
) -> None:
    model_server.otherwise().error(status, "no, sk-test is wrong", retry_after=90)
    activities = make(provider, model_server)
    with pytest.raises(Exception, match="no") as caught:
        await activities.complete(ask(agent_of(provider)))
    failure = activities.classify(caught.value)
    assert failure is not None
    assert failure.retryable == retryable
    assert failure.retry_after is not None
    assert failure.retry_after.total_seconds() == 60
    assert "sk-test" not in failure.message
    assert len(model_server.requests) == 1


@EACH
@pytest.mark.parametrize(
    ("streamed", "fault"),
    [(False, "drop"), (False, "malformed"), (True, "drop"), (True, "malformed"), (True, "break")],
)
async def test_hiccups_are_worth_another_attempt(
    model_server: ModelServer, provider: str, streamed: bool, fault: str
) -> None:
    rule = model_server.otherwise()
    match fault:
        case "drop":
            rule.break_connection()
        case "malformed":
            rule.malformed()
        case _:
            rule.reply("one two three four").break_stream(after_chunks=3)
    activities = make(provider, model_server)
    on_text = (lambda text: None) if streamed else None
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each SDK has its own
        await activities.complete(ask(agent_of(provider), on_text=on_text))
    failure = activities.classify(caught.value)
    assert failure is not None
    assert failure.retryable, failure


@EACH
async def test_an_answer_that_says_nothing_is_an_error(model_server: ModelServer, provider: str) -> None:
    model_server.otherwise().reply("")
    activities = make(provider, model_server)
    with pytest.raises(EmptyCompletionError) as caught:
        await activities.complete(ask(agent_of(provider)))
    failure = activities.classify(caught.value)
    assert failure is not None
    assert not failure.retryable


@EACH
async def test_a_call_takes_no_longer_than_the_agent_allows(model_server: ModelServer, provider: str) -> None:
    gate = model_server.otherwise().reply("late").hold()
    agent = agent_of(provider, retry_options=RetryOptions(timeout_in_seconds=0.3))
    activities = make(provider, model_server)
    with pytest.raises(Exception, match="timed out") as caught:
        await activities.complete(ask(agent))
    failure = activities.classify(caught.value)
    assert failure is not None
    assert failure.retryable
    gate.release()


CLIENTS = {
    "openai sync": (lambda url: openai.OpenAI(api_key="k", base_url=f"{url}/v1"), "openai"),
    "openai async": (lambda url: openai.AsyncOpenAI(api_key="k", base_url=f"{url}/v1"), "openai"),
    "anthropic sync": (lambda url: anthropic.Anthropic(api_key="k", base_url=url), "anthropic"),
    "anthropic async": (lambda url: anthropic.AsyncAnthropic(api_key="k", base_url=url), "anthropic"),
    "bedrock sync": (
        lambda url: anthropic.AnthropicBedrock(
            aws_access_key="a", aws_secret_key="s", aws_region="eu-west-1", base_url=url
        ),
        "anthropic",
    ),
    "bedrock async": (
        lambda url: anthropic.AsyncAnthropicBedrock(
            aws_access_key="a", aws_secret_key="s", aws_region="eu-west-1", base_url=url
        ),
        "anthropic",
    ),
}


@pytest.mark.parametrize(
    ("kind", "streamed"),
    # The scripted server does not speak Bedrock's binary event stream.
    [(kind, streamed) for kind in CLIENTS for streamed in (False, True) if not (streamed and "bedrock" in kind)],
)
async def test_a_client_of_the_users_own_is_used(model_server: ModelServer, kind: str, streamed: bool) -> None:
    model_server.otherwise().reply(Reply("Hello there", [call("lookup", topic="tea")]))
    make_client, provider = CLIENTS[kind]
    client = make_client(model_server.url)
    activities: AgentActivities
    if provider == "openai":
        activities = OpenAIAgentActivities(OpenAIAgentOptions(client=client))
    else:
        activities = AnthropicAgentActivities(AnthropicAgentOptions(client=client))
    heard: list[str] = []
    threads: set[int] = set()

    def hear(text: str) -> None:
        heard.append(text)
        threads.add(threading.get_ident())

    message = await activities.complete(ask(agent_of(provider), tools=TOOLS, on_text=hear if streamed else None))
    assert message.content == "Hello there"
    assert len(message.tool_calls or []) == 1
    if streamed:
        assert "".join(heard) == "Hello there"
        assert threads == {threading.get_ident()}


async def test_a_sync_client_blocks_nobody(model_server: ModelServer) -> None:
    gate = model_server.otherwise().reply("late").hold()
    client = openai.OpenAI(api_key="k", base_url=model_server.base_url)
    activities = OpenAIAgentActivities(OpenAIAgentOptions(client=client))
    calls = [asyncio.create_task(activities.complete(ask(OpenAIAgent()))) for _ in range(5)]
    await model_server.wait_for_requests(5)
    gate.release()
    assert {(await each).content for each in calls} == {"late"}


async def test_a_users_client_does_not_try_again_by_itself(model_server: ModelServer) -> None:
    model_server.otherwise().error(503, "down")
    client = openai.AsyncOpenAI(api_key="k", base_url=model_server.base_url, max_retries=5)
    activities = OpenAIAgentActivities(OpenAIAgentOptions(client=client))
    with pytest.raises(openai.InternalServerError):
        await activities.complete(ask(OpenAIAgent()))
    assert len(model_server.requests) == 1


async def test_cancelling_a_call_ends_it(model_server: ModelServer) -> None:
    model_server.otherwise().reply("late").hold()
    activities = make("openai", model_server)
    task = asyncio.create_task(activities.complete(ask(OpenAIAgent())))
    await model_server.wait_for_requests(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_one_object_serves_one_event_loop_after_another(model_server: ModelServer) -> None:
    model_server.otherwise().reply("ok")
    activities = make("openai", model_server)

    async def once() -> None:
        assert (await activities.complete(ask(OpenAIAgent()))).content == "ok"
        await activities.close()

    asyncio.run(once())
    asyncio.run(once())


@pytest.mark.parametrize(
    ("make_activities", "variable"),
    [(OpenAIAgentActivities, "OPENAI_API_KEY"), (AnthropicAgentActivities, "ANTHROPIC_API_KEY")],
)
def test_a_missing_key_is_an_error_when_the_worker_is_configured(
    make_activities: Any, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match=f"api_key=.*{variable}"):
        make_activities()


def test_parameters_that_are_the_sessions_cannot_be_configured(model_server: ModelServer) -> None:
    with pytest.raises(ConfigurationError, match="messages, model"):
        make("openai", model_server, inference_config={"model": "x", "messages": []})


@pytest.mark.parametrize("module", ["openai", "anthropic"])
def test_a_missing_sdk_is_an_error_that_names_the_extra(module: str) -> None:
    name = {"openai": "OpenAI", "anthropic": "Anthropic"}[module]
    script = (
        f"import sys; sys.modules[{module!r}] = None\n"
        f"from rojak.agents import {name}AgentActivities\n"
        f"try: {name}AgentActivities()\n"
        "except ImportError as error: print(error)\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert f"pip install 'rojak[{module}]'" in result.stdout, result.stderr


def test_importing_rojak_needs_no_sdk() -> None:
    script = (
        "import sys, rojak, rojak.agents, rojak.retrievers, rojak.testing\n"
        "print([name for name in ('openai', 'anthropic', 'qdrant_client', 'h11') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert result.stdout.strip() in ("[]", "['h11']"), result.stderr
