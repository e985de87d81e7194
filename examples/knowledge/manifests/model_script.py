"""Plays the model's part where no key is set: it cites the best passages, word for word."""

from __future__ import annotations

import re

from rojak.testing import Conversation, ModelServer, Reply, call


def write_script(model: ModelServer) -> None:
    """What the scripted model says: the best passages, word for word."""

    def cite(passages: list[str]) -> Reply:
        found = [match for passage in passages if (match := re.match(r"\[(.+?)\] (.+)", passage))]
        return Reply(" ".join(f"{text} [{source}]" for source, text in (m.groups() for m in found)) or "I do not know.")

    def answer(conversation: Conversation) -> Reply:
        if conversation.last is not None and conversation.last.role == "tool":
            best = [result.partition("\n")[0] for result in conversation.tool_results]
            return cite(list(dict.fromkeys(best)))
        if "search_handbook" in conversation.tools:
            asked = re.split(r",? and ", conversation.last_text("user") or "")
            return Reply(tool_calls=[call("search_handbook", query=part) for part in asked])
        return cite(conversation.system.partition("Retrieved context:\n")[2].split("\n\n"))

    model.otherwise().reply(answer)
