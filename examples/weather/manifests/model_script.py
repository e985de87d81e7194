"""Plays the model's part where no key is set."""

from __future__ import annotations

from rojak.testing import Conversation, ModelServer, Reply, call

CITIES = ("paris", "singapore", "oslo")


def write_script(model: ModelServer) -> None:
    """What the scripted model says."""

    def answer(conversation: Conversation) -> Reply:
        if conversation.last is not None and conversation.last.role == "tool":
            return Reply(f"It is {conversation.last.text}.")
        asked = (conversation.last_text("user") or "").lower()
        city = next((name for name in CITIES if name in asked), "atlantis")
        return Reply(tool_calls=[call("get_weather", location=city.capitalize())])

    model.otherwise().reply(answer)
