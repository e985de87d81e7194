"""A model that does what the last user message says, line by line: the sessions' tests read as their script.

``call add {"amount": 2}; note {"key": "k", "value": "v"}`` asks for two tool calls in one message, ``say Hello``
answers, ``echo`` answers with what the last tools said, ``count`` with the number of messages it was given. After
the last line the answer is ``done``.
"""

from __future__ import annotations

import json
from typing import Any

from rojak.testing import Reply, call


def follow_script(conversation: Any) -> Reply:
    """The reply that the script asks for next."""
    messages = conversation.messages
    asked = max(index for index, message in enumerate(messages) if message.role == "user")
    lines = messages[asked].text.splitlines()
    answered = sum(message.role == "assistant" for message in messages[asked:])
    line = lines[answered] if answered < len(lines) else "say done"
    verb, _, rest = line.partition(" ")
    match verb:
        case "call":
            return Reply(tool_calls=[_parse_call(part) for part in rest.split("; ")])
        case "say":
            return Reply(rest)
        case "echo":
            return Reply(" | ".join(message.text for message in messages[asked:] if message.role == "tool"))
        case "count":
            return Reply(str(len(messages)))
        case "instructions":
            return Reply(conversation.system)
        case _:
            return Reply(f"heard: {line}")


def _parse_call(text: str) -> Any:
    name, _, arguments = text.strip().partition(" ")
    return call(name, **json.loads(arguments or "{}"))
