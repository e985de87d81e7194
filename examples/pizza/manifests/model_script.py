"""Plays the part of the team's model where no key is set: `rojak dev` finds it beside the manifests.

It takes any order in plain words, so that a person can talk to it; it is no model, and knows little else.
"""

from __future__ import annotations

import re
from typing import Any

from rojak.testing import Conversation, ModelServer, Reply, call

DISHES = {"margherita": "margherita", "pepperoni": "pepperoni", "funghi": "funghi", "tiramisu": "tiramisu"}
SIZES = ("small", "medium", "large")
NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5}
STARS = {**NUMBERS, **{str(number): number for number in range(1, 6)}}
_WORD = re.compile(r"[a-z]+|[0-9]+")


def write_script(model: ModelServer) -> None:
    """The agents' lines. Slow enough to be watched."""
    model.when(system="You greet").reply(_greet).slow(delay=0.2, chunk_delay=0.04)
    model.when(system="You take orders").reply(_take_order).slow(delay=0.3, chunk_delay=0.04)
    model.when(system="You take the payment").reply(_take_payment).slow(delay=0.3, chunk_delay=0.04)
    model.when(system="You thank").reply(_take_feedback).slow(delay=0.3, chunk_delay=0.04)
    model.when(system="You look after the oven").reply(_look_after_oven)


def _greet(conversation: Conversation) -> Reply:
    if conversation.last is not None and conversation.last.role == "tool":
        return Reply("One moment, please.")
    return Reply(tool_calls=[call("transfer_to_ordering")])


def _take_order(conversation: Conversation) -> Reply:
    said = _said(conversation)
    results = _results_since_said(conversation)
    wanted = _order_in(said)
    if wanted:
        if not conversation.tool_results:
            return Reply(tool_calls=[call("get_menu")])
        if not any(result.startswith("Added") for result in results):
            return Reply("Let me put that together.", tool_calls=[call("add_to_cart", **line) for line in wanted])
        lines = ", ".join(f"{line['quantity']} {line['size']} {line['item']}" for line in wanted)
        total = results[-1].partition("Total now: ")[2]
        return Reply(f"{lines}. The total is {total} now. Anything else?")
    words = _WORD.findall(said)
    if any(word in words for word in ("pay", "bill", "all", "done", "nothing", "no", "checkout")):
        return Reply(tool_calls=[call("transfer_to_payment")])
    if "menu" in words or "cart" in words or "order" in words:
        if not results:
            return Reply(tool_calls=[call("view_cart" if "cart" in words else "get_menu")])
        return Reply(f"Here it is: {results[-1]}")
    return Reply("Welcome! What may it be? We have margherita, pepperoni, funghi, and a very good tiramisu.")


def _take_payment(conversation: Conversation) -> Reply:
    last = conversation.last
    if last is not None and last.role == "tool":
        if last.text.startswith("Charged"):
            return Reply(tool_calls=[call("transfer_to_feedback")])
        if "rejected" in last.text:
            return Reply("No payment was made. Say when you want to pay.")
    total = conversation.system.partition("$")[2].partition(" ")[0]
    return Reply(tool_calls=[call("process_payment", amount=float(total))])


def _take_feedback(conversation: Conversation) -> Reply:
    words = _WORD.findall(_said(conversation))
    stars = next((STARS[word] for word in words if word in STARS), None)
    if stars is None or not any(word.startswith("star") for word in words):
        if any("Thank you" in result for result in conversation.tool_results):
            return Reply("Good-bye!")
        return Reply("Your pizza is on its way. How many stars do we get?")
    if not any("Thank you" in result for result in _results_since_said(conversation)):
        return Reply(tool_calls=[call("leave_feedback", stars=stars, comment=_said(conversation))])
    return Reply("Thank you, and enjoy your meal!")


def _look_after_oven(conversation: Conversation) -> Reply:
    if not conversation.tool_results:
        return Reply(tool_calls=[call("read_oven")])
    return Reply(f"All is well. {conversation.tool_results[-1]}")


def _said(conversation: Conversation) -> str:
    return (conversation.last_text("user") or "").lower()


def _results_since_said(conversation: Conversation) -> list[str]:
    """What the tools said since the customer spoke."""
    since: list[str] = []
    for message in conversation.messages:
        if message.role == "user":
            since = []
        elif message.role == "tool":
            since.append(message.text)
    return since


def _order_in(said: str) -> list[dict[str, Any]]:
    """The dishes that are asked for; sizes and numbers stand before them."""
    lines: list[dict[str, Any]] = []
    size, quantity = "medium", 1
    for word in _WORD.findall(said):
        dish = DISHES.get(word.rstrip("s")) or DISHES.get(word)
        if dish is not None:
            lines.append({"item": dish, "size": size, "quantity": quantity})
            size, quantity = "medium", 1
        elif word in SIZES:
            size = word
        elif word in NUMBERS:
            quantity = NUMBERS[word]
        elif word.isdigit() and 0 < int(word) <= 50:
            quantity = int(word)
    return lines
