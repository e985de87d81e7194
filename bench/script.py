"""What the scripted model says: the last user message tells it.

=========================================  =======================================================================
``echo <word>``                            asks for the tool ``echo``, then says ``done <word>``
``reply <word>``                           says ``done <word>`` at once
``say <word> <characters>``                says the word, padded to so many characters
``tools <name> <count> <seconds>``         asks for so many calls of the tool at once, then says ``done``
``after <seconds> <one of the others>``    the same, each answer after so many seconds
``agents <count> <seconds>``               asks for so many sub-agents at once, each of which answers after so many
                                           seconds, then says ``done``
``hang <word>``                            does not answer the first time; then it says ``done <word>``
=========================================  =======================================================================
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

#: A tool call: its name and its arguments.
Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Answer:
    """What the model does: text or tool calls, after ``delay`` seconds; never, if ``hang``."""

    text: str | None = None
    calls: list[Call] = field(default_factory=list)
    delay: float = 0.0
    hang: str | None = None


def answer(messages: list[dict[str, Any]]) -> Answer:
    """The model's next message in this conversation of OpenAI's form."""
    last = messages[-1]
    asked = next(message for message in reversed(messages) if message["role"] == "user")
    return _follow(str(asked["content"]).split(), after_tools=last["role"] == "tool")


def _follow(words: list[str], *, after_tools: bool) -> Answer:
    match words:
        case ["after", seconds, *rest]:
            inner = _follow(rest, after_tools=after_tools)
            return Answer(inner.text, inner.calls, delay=float(seconds))
        case ["echo", word, *_]:
            return Answer(f"done {word}") if after_tools else Answer(calls=[("echo", {"text": word})])
        case ["reply", word, *_]:
            return Answer(f"done {word}")
        case ["tools", name, count, seconds]:
            call: Call = (name, {"seconds": float(seconds)})
            return Answer("done") if after_tools else Answer(calls=[call] * int(count))
        case ["agents", count, seconds]:
            clerk: Call = ("clerk", {"message": f"after {seconds} reply word"})
            return Answer("done") if after_tools else Answer(calls=[clerk] * int(count))
        case ["hang", word, *_]:
            return Answer(f"done {word}", hang=word)
        case ["say", word, characters, *_]:
            return Answer(said(word, int(characters)))
        case _:
            raise ValueError(f"the model's script has no {' '.join(words)[:50]!r}")


def said(word: str, characters: int) -> str:
    """What ``say`` says."""
    return f"{word} ".ljust(characters, ".")


def say(word: str, characters: int, *, asked_with: int | None = None) -> str:
    """The user's message that gets `said`, itself padded to ``asked_with`` characters (as many, if None)."""
    return f"say {word} {characters} ".ljust(characters if asked_with is None else asked_with, ".")


def render(found: Answer, number: int, prompt_characters: int) -> bytes:
    """The answer as the body of a chat completion."""
    message: dict[str, Any] = {"role": "assistant", "content": found.text}
    if found.calls:
        message = {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": f"call_{number}_{index}",
                    "type": "function",
                    "function": {"name": name, "arguments": json.dumps(arguments)},
                }
                for index, (name, arguments) in enumerate(found.calls)
            ],
        }
    prompt_tokens, completion_tokens = prompt_characters // 4, len(found.text or "") // 4 + 1
    body = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "gpt-4o",
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": "tool_calls" if found.calls else "stop",
                "logprobs": None,
            }
        ],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }
    return json.dumps(body).encode()
