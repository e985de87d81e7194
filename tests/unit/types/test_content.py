"""Parts of messages: what is one, and what a session can carry."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from pydantic import ValidationError

from rojak.session.limits import TASK_BYTES
from rojak.types import ConversationMessage, ImagePart, TaskParams, TextPart
from rojak.types.content import MAX_IMAGE_BYTES, check_content

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"


def test_parts_are_data_in_openais_form() -> None:
    message = ConversationMessage(role="user", content=[TextPart("What is this?"), ImagePart(PNG, detail="low")])
    data = "data:image/png;base64," + base64.b64encode(PNG).decode()
    assert message.model_dump(exclude_unset=True)["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": data, "detail": "low"}},
    ]
    assert message.text == "What is this?"
    assert ImagePart("https://example.com/a.png") == {
        "type": "image_url",
        "image_url": {"url": "https://example.com/a.png"},
    }


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
    ],
)
def test_common_types_are_recognized(data: bytes, media_type: str) -> None:
    assert ImagePart(data)["image_url"]["url"].startswith(f"data:{media_type};base64,")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ImagePart(b"?"), "give media_type="),
        (lambda: ImagePart(b"?", media_type="text/plain"), "it is no image: its media type is 'text/plain'"),
        (lambda: ImagePart(b"", media_type="image/png"), "the image is empty"),
        (lambda: ImagePart("photo.png"), r"use ImagePart\(path.read_bytes\(\)\)"),
        (lambda: ImagePart(PNG + b"x" * MAX_IMAGE_BYTES), f"at most {MAX_IMAGE_BYTES} fit .* pass its URL"),
    ],
)
def test_what_is_no_image_is_an_error_that_says_what_to_do(make: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([{"type": "text"}], "message 0, part 0 of the content: it has the type 'text' and no text"),
        ([TextPart("a"), {"type": "movie"}], "part 1 of the content: unknown type 'movie'"),
        (["plain"], r"a str is no part; use TextPart\(...\)"),
        ([{"type": "image_url"}], "no URL"),
        ([{"type": "image_url", "image_url": {"url": "data:;base64,AAAA"}}], "has no media type"),
        ([{"type": "image_url", "image_url": {"url": "data:image/png,abc"}}], "not in base64"),
        ([{"type": "image_url", "image_url": {"url": "data:image/png;base64,a!b"}}], "its data is no base64"),
        (7, "content is a int"),
    ],
)
@pytest.mark.parametrize("wrap", [dict, lambda message: ConversationMessage.model_construct(**message)])
def test_a_task_with_another_part_is_refused_when_it_is_made(content: Any, said: str, wrap: Any) -> None:
    with pytest.raises(ValidationError, match=said):
        TaskParams(messages=[wrap({"role": "user", "content": content})])


@pytest.mark.parametrize("kind", ["input_audio", "file", "document", "image"])
def test_parts_that_one_provider_knows_are_passed_on(kind: str) -> None:
    check_content([{"type": kind, "anything": 1}])


def test_the_largest_image_fits_into_a_task() -> None:
    image = ImagePart(PNG + b"x" * (MAX_IMAGE_BYTES - len(PNG)))
    message = ConversationMessage(role="user", content=[TextPart("t" * 5000), image])
    assert len(message.model_dump_json()) < TASK_BYTES
