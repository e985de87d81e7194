"""Images from the caller to the model, with both providers."""

from __future__ import annotations

from typing import Any

import pytest

from rojak import ImagePart, Rojak, TaskParams, TextPart
from rojak.agents import AnthropicAgent, OpenAIAgent
from rojak.testing import ModelServer, call
from rojak.types.content import MAX_IMAGE_BYTES
from rojak.types.errors import PayloadTooLargeError, RunFailedError
from tests.integration.session.conftest import answer

pytestmark = pytest.mark.usefixtures("worker_of_both")

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 16
BYTES, URL = ImagePart(PNG), ImagePart("https://example.com/a.png")
URLS = [part["image_url"]["url"] for part in (BYTES, URL)]


@pytest.fixture(params=[OpenAIAgent, AnthropicAgent], ids=["openai", "anthropic"])
def agent(request: pytest.FixtureRequest) -> Any:
    """An agent of each provider."""
    return request.param(functions=["add"])


def showing(agent: Any, *parts: dict[str, Any]) -> TaskParams:
    return TaskParams(agent=agent, messages=[{"role": "user", "content": list(parts)}])


@pytest.mark.parametrize("kind", ["stateless", "persistent"])
async def test_the_model_sees_the_images(
    rojak: Rojak, model: ModelServer, session_id: str, agent: Any, kind: Any
) -> None:
    model.when(last_tool="sum is").reply("A cat.")
    model.when(last_user="What is this?").reply(tool_calls=[call("add")])
    script = showing(agent, TextPart("What is this?"), BYTES, URL)
    response = await rojak.run(id=session_id, type=kind, task=script)
    assert answer(response.result) == "A cat."
    for request in model.requests:
        (said,) = [m for m in request.conversation.messages if m.role == "user"]
        assert said.images == URLS
    # What comes back can be passed on, to an agent of the other provider too.
    other = AnthropicAgent() if agent.type == "openai" else OpenAIAgent()
    messages = [*response.result.messages, {"role": "user", "content": "say Again"}]
    again = await rojak.run(id=f"{session_id}-2", task=TaskParams(agent=other, messages=messages))
    assert answer(again.result) == "Again"
    assert [m.images for m in model.requests[-1].conversation.messages if m.images] == [URLS]


async def test_images_stay_in_a_session(rojak: Rojak, model: ModelServer, session_id: str, agent: Any) -> None:
    await rojak.run(id=session_id, type="persistent", task=showing(agent, BYTES))
    await rojak.run(id=session_id, type="persistent", task=showing(None, TextPart("And now?")))
    assert [m.images for m in model.requests[-1].conversation.messages if m.images] == [URLS[:1]]


async def test_a_part_that_the_provider_does_not_take_fails_the_run_with_its_name(
    rojak: Rojak, model: ModelServer, session_id: str
) -> None:
    with pytest.raises(RunFailedError, match="'input_audio', which Anthropic does not take"):
        await rojak.run(id=session_id, task=showing(AnthropicAgent(), {"type": "input_audio", "input_audio": {}}))
    assert not model.requests


async def test_more_than_fits_is_refused_before_it_is_sent(rojak: Rojak, session_id: str, agent: Any) -> None:
    image = ImagePart(PNG + b"x" * (MAX_IMAGE_BYTES - len(PNG)))
    with pytest.raises(PayloadTooLargeError, match="the task's messages"):
        await rojak.run(id=session_id, task=showing(agent, image, image))
