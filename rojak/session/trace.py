"""Which trace a turn belongs to, in the form of W3C's ``traceparent``.

The identifiers are made of the session's id and the task's, so every process knows them without having been told, also
when the one in which the turn began is gone.
"""

from __future__ import annotations

import hashlib
import re

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def is_traceparent(text: str) -> bool:
    """Whether the text is one."""
    return _TRACEPARENT.fullmatch(text) is not None


def turn_traceparent(session_id: str, task_id: str, caller: str | None) -> str:
    """The context in which the calls of a turn are made: its span, in its caller's trace, or in one of its own."""
    seed = f"{session_id}/{task_id}".encode()
    span = hashlib.blake2b(seed, digest_size=8, person=b"span").hexdigest()
    if caller is not None and is_traceparent(caller):
        _, trace, _, flags = caller.split("-")
    else:
        trace, flags = hashlib.blake2b(seed, digest_size=16, person=b"trace").hexdigest(), "01"
    return f"00-{trace}-{span}-{flags}"
