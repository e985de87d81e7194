"""Plays the model's part where no key is set."""

from __future__ import annotations

import json

from rojak.testing import Conversation, ModelServer, Reply, call


def write_script(model: ModelServer) -> None:
    """What the scripted model says."""

    def answer(conversation: Conversation) -> Reply:
        last = conversation.last
        if last is None or last.role != "tool":
            asked = (conversation.last_text("user") or "").rstrip("?")
            return Reply(tool_calls=[call("get_weather", location=asked.partition(" in ")[2] or "San Francisco")])
        try:
            weather = json.loads(last.text)
        except ValueError:
            return Reply(last.text)
        return Reply(f"It is {weather['degrees_celsius']} °C and {weather['sky']} in {weather['location']}.")

    model.otherwise().reply(answer)
