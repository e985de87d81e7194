"""Results of MCP tools in the form in which conversations hold them.

Text stays text. Images become content parts, which each provider gets in its own form. What no model takes (sound,
binary resources, images that are too large) is named, so that the model knows of it and where it is.
"""

from __future__ import annotations

from typing import Any

from mcp_types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)
from pydantic_core import from_json

from rojak.mcp.arguments import canonical
from rojak.tools.results import MAX_ERROR_BYTES, clip, cut_output
from rojak.types.activities import ToolFailed, ToolReturned

#: Characters of base64 that the images of one result may have; they stay in the conversation for as long as it lasts.
MAX_IMAGES = 256 * 1024
#: What both providers take.
_IMAGE_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})

Part = dict[str, Any]


def read_result(result: CallToolResult) -> ToolReturned | ToolFailed:
    """The outcome of a call that the server answered."""
    parts = _Parts()
    for block in result.content:
        parts.add(block)
    if result.structured_content is not None and not _is_told(result.structured_content, result.content):
        parts.add_text(canonical(result.structured_content))
    text = cut_output(parts.text())
    if result.is_error:
        message = clip(text, MAX_ERROR_BYTES) or "The tool failed and did not say why."
        return ToolFailed(error_type="MCPToolError", message=message)
    if parts.images:
        told = [{"type": "text", "text": text}] if text else []
        return ToolReturned(output=text, parts=[*told, *parts.images])
    return ToolReturned(output=text)


class _Parts:
    def __init__(self) -> None:
        self.images: list[Part] = []
        self._texts: list[str] = []
        self._room = MAX_IMAGES

    def text(self) -> str:
        return "\n".join(self._texts)

    def add_text(self, text: str) -> None:
        self._texts.append(text)

    def add(self, block: ContentBlock) -> None:
        match block:
            case TextContent():
                self.add_text(block.text)
            case ImageContent():
                self._add_binary("image", block.data, block.mime_type)
            case AudioContent():
                self._add_binary("audio", block.data, block.mime_type)
            case ResourceLink():
                told = [f"resource {block.title or block.name}: {block.uri}", block.mime_type, block.description]
                self.add_text(f"[{', '.join(text for text in told if text)}]")
            case EmbeddedResource(resource=TextResourceContents() as resource):
                self.add_text(f"[resource {resource.uri}]\n{resource.text}")
            case EmbeddedResource(resource=BlobResourceContents() as resource):
                self._add_binary(f"resource {resource.uri}", resource.blob, resource.mime_type or "unknown type")

    def _add_binary(self, what: str, data: str, media_type: str) -> None:
        if media_type in _IMAGE_TYPES and len(data) <= self._room:
            self._room -= len(data)
            self.images.append({"type": "image_url", "image_url": {"url": f"data:{media_type};base64,{data}"}})
            if what != "image":
                self.add_text(f"[{what}: shown as an image]")
            return
        why = "too large to be shown" if media_type in _IMAGE_TYPES else "cannot be shown"
        self.add_text(f"[{what}, {media_type}, {len(data) * 3 // 4} bytes: {why}]")


def _is_told(structured: Any, blocks: list[ContentBlock]) -> bool:
    """Whether the text says the same; servers write structured content as text too, for clients that know none."""
    texts = [block.text for block in blocks if isinstance(block, TextContent)]
    if not texts:
        return False
    candidates = [structured]
    if isinstance(structured, dict) and len(structured) == 1:
        # SDKs wrap what is no object.
        candidates += structured.values()
    said = [_parsed(text) for text in texts]
    for candidate in candidates:
        wanted = canonical(candidate)
        if any(canonical(value) == wanted for value in said) or (isinstance(candidate, str) and candidate in texts):
            return True
        if isinstance(candidate, list) and canonical(said) == wanted:
            return True
    return False


def _parsed(text: str) -> Any:
    try:
        return from_json(text)
    except ValueError:
        return text
