"""Parts of messages as providers take them. Conversations keep them in OpenAI's form, see `rojak.types.content`.

A conversation may have been begun with another provider, so its own form of an image is understood as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from rojak.types.errors import ConfigurationError

_DATA_URL = re.compile(r"data:(?P<media>[\w/+.-]+)[^,]*;base64,(?P<data>.*)", re.DOTALL)
#: What precedes the images of a tool's result where they cannot be in the result itself; the call's id goes into it.
SHOWN_FOR = "What the tool call {} returned:"
#: Parts that only one of them has.
_OPENAI_ONLY = frozenset({"input_audio", "file", "video_url"})
_ANTHROPIC_ONLY = frozenset({"document", "search_result"})


def openai_part(part: dict[str, Any]) -> dict[str, Any]:
    """A part for OpenAI.

    Raises:
        ConfigurationError: only another provider has parts of this type.
    """
    kind = part.get("type")
    if kind == "image":
        source = part.get("source", {})
        url = source.get("url") or f"data:{source.get('media_type')};base64,{source.get('data')}"
        return {"type": "image_url", "image_url": {"url": url}}
    if kind == "image_url" and isinstance(part["image_url"], str):
        return {"type": "image_url", "image_url": {"url": part["image_url"]}}
    if kind in _ANTHROPIC_ONLY:
        raise _foreign("OpenAI", kind)
    return part


def anthropic_block(part: dict[str, Any]) -> dict[str, Any]:
    """A part as a block for Anthropic.

    Raises:
        ConfigurationError: only another provider has parts of this type.
    """
    match part.get("type"):
        case "image_url":
            image = part["image_url"]
            url = image["url"] if isinstance(image, dict) else image
            if data := _DATA_URL.fullmatch(url):
                source = {"type": "base64", "media_type": data["media"], "data": data["data"]}
            else:
                source = {"type": "url", "url": url}
            return {"type": "image", "source": source}
        case "refusal":
            return {"type": "text", "text": part.get("refusal") or "(refused)"}
        case kind if kind in _OPENAI_ONLY:
            raise _foreign("Anthropic", kind)
        case _:
            return part


def _foreign(provider: str, kind: Any) -> ConfigurationError:
    return ConfigurationError(
        f"a message has a part of type {kind!r}, which {provider} does not take; send text and images to agents of"
        " both providers"
    )


def text_of(parts: Iterable[dict[str, Any]]) -> str:
    """The text among the parts."""
    return "\n".join(str(part["text"]) for part in parts if part.get("type") == "text")


def images_of(parts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The images among the parts."""
    return [part for part in parts if part.get("type") in ("image_url", "image")]
