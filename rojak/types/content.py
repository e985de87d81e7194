"""Parts of a message's content: text and images, as data in OpenAI's form, which other providers' are made of.

``{"role": "user", "content": [TextPart("What is this?"), ImagePart(path.read_bytes())]}``
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

#: Bytes that an image may have. As text it is a third longer, and with the rest of its task it has to fit into a
#: session (see `rojak.session.limits.TASK_BYTES`).
MAX_IMAGE_BYTES = 320 * 1024
#: Parts that one provider or the other knows besides; they are passed on as they are.
_PASSED_ON = frozenset({"refusal", "input_audio", "file", "video_url", "image", "document", "search_result"})
_DATA_URL = re.compile(
    r"data:(?P<media>[\w.+-]+/[\w.+-]+)?(?:;[\w-]+=[^;,]*)*(?P<base64>;base64)?,(?P<data>.*)", re.DOTALL
)
_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
}


class TextPart(dict[str, Any]):
    """Text between other parts."""

    def __init__(self, text: str) -> None:
        super().__init__(type="text", text=text)


class ImagePart(dict[str, Any]):
    """An image, as its bytes or as the URL under which the provider fetches it.

    Bytes travel with the conversation and are sent with every model call that sees it; a URL is a few characters.

    Args:
        image: the bytes of the image, or its URL (``https://...``).
        media_type: of bytes, ``"image/png"`` for instance. May be left out for PNG, JPEG, GIF and WebP.
        detail: how closely the model looks, in OpenAI's terms (``"low"``, ``"high"``); others ignore it.

    Raises:
        ValueError: it is no image that a session can carry; the message says why and what to do.
    """

    def __init__(self, image: bytes | str, *, media_type: str | None = None, detail: str | None = None) -> None:
        url = image if isinstance(image, str) else _data_url(image, media_type)
        shown = {"url": url} if detail is None else {"url": url, "detail": detail}
        super().__init__(type="image_url", image_url=shown)
        check_part(self)


def _data_url(data: bytes, media_type: str | None) -> str:
    media_type = media_type or _recognize(data)
    if media_type is None:
        raise ValueError('the type of the image cannot be told from its bytes; give media_type="image/..."')
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def _recognize(data: bytes) -> str | None:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((media for signature, media in _SIGNATURES.items() if data.startswith(signature)), None)


def check_content(content: Any) -> None:
    """Refuse a message's content that no model could be shown.

    Raises:
        ValueError: names the part and what is wrong with it.
    """
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list | tuple):
        raise ValueError(f"content is a {type(content).__name__}; give text, or a list of parts")
    for index, part in enumerate(content):
        try:
            check_part(part)
        except ValueError as error:
            raise ValueError(f"part {index} of the content: {error}") from None


def check_part(part: Any) -> None:
    """Refuse what is no part of a message.

    Raises:
        ValueError: says what is wrong with it.
    """
    if not isinstance(part, dict):
        raise ValueError(f"a {type(part).__name__} is no part; use TextPart(...) or ImagePart(...)")
    match part.get("type"):
        case "text":
            if not isinstance(part.get("text"), str):
                raise ValueError("it has the type 'text' and no text; use TextPart('...')")
        case "image_url":
            _check_image(part.get("image_url"))
        case str(kind) if kind in _PASSED_ON:
            return
        case kind:
            raise ValueError(f"unknown type {kind!r}; use TextPart(...) or ImagePart(...)")


def _check_image(image: Any) -> None:
    url = image.get("url") if isinstance(image, dict) else image
    if not isinstance(url, str):
        raise ValueError("it has the type 'image_url' and no URL; use ImagePart(...)")
    if url.startswith(("https://", "http://")):
        return
    found = _DATA_URL.fullmatch(url)
    if found is None:
        raise ValueError(
            f"{url[:40]!r} is neither an http(s) URL nor a data URL; for a file use ImagePart(path.read_bytes())"
        )
    if found["media"] is None or not found["base64"]:
        raise ValueError("its data URL has no media type or is not in base64: data:image/png;base64,...")
    if not found["media"].startswith("image/"):
        raise ValueError(f"it is no image: its media type is {found['media']!r}")
    size = len(found["data"].rstrip("=")) * 3 // 4
    if size == 0:
        raise ValueError("the image is empty")
    if size > MAX_IMAGE_BYTES:
        raise ValueError(
            f"the image has {size} bytes; at most {MAX_IMAGE_BYTES} fit into a durable session. Make it smaller (models"
            " look at about 1,500 pixels a side), or put it into a store and pass its URL"
        )
    try:
        binascii.a2b_base64(found["data"], strict_mode=True)
    except binascii.Error as error:
        raise ValueError(f"its data is no base64 ({error})") from None
