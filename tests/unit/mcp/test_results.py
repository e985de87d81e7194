from __future__ import annotations

import json
from typing import Any

import pytest
from mcp_types import CallToolResult, ImageContent, TextContent

from rojak.mcp.results import MAX_IMAGES, read_result
from rojak.types.activities import ToolFailed, ToolReturned


def text(*texts: str) -> list[Any]:
    return [TextContent(text=each) for each in texts]


@pytest.mark.parametrize(
    ("said", "structured", "expected"),
    [
        (text("a", "b"), None, "a\nb"),
        ([], {"x": 1}, '{"x": 1}'),
        (text('{\n "x": 1\n}'), {"x": 1}, '{\n "x": 1\n}'),
        (text("plain"), {"result": "plain"}, "plain"),
        (text("1", "2"), {"result": [1, 2]}, "1\n2"),
        (text("a summary"), {"x": 1}, 'a summary\n{"x": 1}'),
        (text("true"), {"x": 1}, 'true\n{"x": 1}'),
        ([], None, ""),
    ],
)
def test_structured_content_is_told_once(said: list[Any], structured: Any, expected: str) -> None:
    outcome = read_result(CallToolResult(content=said, structured_content=structured))
    assert outcome == ToolReturned(output=expected)


def test_an_error_is_one() -> None:
    outcome = read_result(CallToolResult(content=text("no such file"), is_error=True))
    assert outcome == ToolFailed(error_type="MCPToolError", message="no such file")
    assert isinstance(read_result(CallToolResult(content=[], is_error=True)), ToolFailed)


def test_images_that_fit_are_parts_and_others_are_named() -> None:
    small = ImageContent(data="AAAA", mime_type="image/png")
    large = ImageContent(data="A" * MAX_IMAGES, mime_type="image/png")
    odd = ImageContent(data="AAAA", mime_type="image/tiff")
    outcome = read_result(CallToolResult(content=[small, large, odd]))
    assert isinstance(outcome, ToolReturned)
    assert outcome.parts is not None
    assert [part["type"] for part in outcome.parts] == ["text", "image_url"]
    assert "too large to be shown" in outcome.output
    assert "image/tiff" in outcome.output
    assert len(json.dumps(outcome.model_dump())) < 2 * MAX_IMAGES
