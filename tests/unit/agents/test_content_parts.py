"""Images on their way to a provider."""

from __future__ import annotations

from typing import Any

import pytest

from rojak.agents import anthropic_wire, openai_wire
from rojak.agents.content import anthropic_block, openai_part
from rojak.testing.conversation import read_anthropic, read_openai
from rojak.types import ConversationMessage, FunctionCall, ImagePart, TextPart, ToolCall
from rojak.types.errors import ConfigurationError

PNG = b"\x89PNG\r\n\x1a\n"
BYTES = ImagePart(PNG)
URL = ImagePart("https://example.com/a.png")
BASE64 = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}


def user(*parts: dict[str, Any]) -> ConversationMessage:
    return ConversationMessage(role="user", content=list(parts))


def calling(*ids: str) -> ConversationMessage:
    calls = [ToolCall(id=tool_id, function=FunctionCall(name="f")) for tool_id in ids]
    return ConversationMessage(role="assistant", tool_calls=calls)


def result(tool_id: str, *parts: dict[str, Any]) -> ConversationMessage:
    return ConversationMessage(role="tool", tool_call_id=tool_id, content=list(parts) or "ok")


def test_openai_gets_images_as_they_are() -> None:
    assert openai_wire.render_messages([user(TextPart("a"), BYTES, URL)]) == [
        {"role": "user", "content": [{"type": "text", "text": "a"}, dict(BYTES), dict(URL)]}
    ]


def test_anthropic_gets_images_as_blocks() -> None:
    assert anthropic_wire.render_messages([user(TextPart("a"), TextPart(" "), BYTES, URL)]) == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a"},
                {"type": "image", "source": BASE64},
                {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
            ],
        }
    ]


def test_openai_gets_images_of_tools_after_all_results_of_the_step() -> None:
    messages = [calling("c1", "c2", "c3"), result("c1", TextPart("one"), BYTES), result("c2"), result("c3", URL)]
    wire = openai_wire.render_messages([*messages, calling("c4"), result("c4", BYTES, URL)])
    assert [m["role"] for m in wire] == ["assistant", "tool", "tool", "tool", "user", "assistant", "tool", "user"]
    assert [m["content"] for m in wire[1:4]] == ["one\n(1 image, shown below)", "ok", "(1 image, shown below)"]
    assert wire[4]["content"] == [
        {"type": "text", "text": "What the tool call c1 returned:"},
        dict(BYTES),
        {"type": "text", "text": "What the tool call c3 returned:"},
        dict(URL),
    ]
    assert wire[6]["content"] == "(2 images, shown below)"
    assert len(wire[7]["content"]) == 3


def test_anthropic_gets_images_of_tools_in_their_results() -> None:
    wire = anthropic_wire.render_messages([calling("c1"), result("c1", TextPart("one"), BYTES)])
    assert wire[-1]["content"] == [
        {
            "type": "tool_result",
            "tool_use_id": "c1",
            "content": [{"type": "text", "text": "one"}, {"type": "image", "source": BASE64}],
        }
    ]


def test_the_scripted_model_server_sees_the_same_with_both_providers() -> None:
    messages = [user(TextPart("a"), URL), calling("c1", "c2"), result("c1"), result("c2", TextPart("two"), BYTES)]
    openai = read_openai({"messages": openai_wire.render_messages(messages)})
    anthropic = read_anthropic({"messages": anthropic_wire.render_messages(messages)})
    for conversation in (openai, anthropic):
        assert [m.role for m in conversation.messages] == ["user", "assistant", "tool", "tool"]
        assert conversation.messages[0].images == [URL["image_url"]["url"]]
        assert conversation.messages[-1].images == [BYTES["image_url"]["url"]]
        assert conversation.last is not None
        assert conversation.last.text.startswith("two")


def test_images_in_anthropics_own_form_reach_openai() -> None:
    assert openai_part({"type": "image", "source": BASE64}) == dict(BYTES)
    assert openai_part(anthropic_block(URL)) == dict(URL)


def test_parts_that_a_provider_does_not_take_are_named() -> None:
    with pytest.raises(ConfigurationError, match="'input_audio', which Anthropic does not take"):
        anthropic_block({"type": "input_audio"})
    with pytest.raises(ConfigurationError, match="'document', which OpenAI does not take"):
        openai_part({"type": "document"})
