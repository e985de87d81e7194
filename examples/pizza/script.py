"""The part of the scripted model, and of the customer, for runs without an API key."""

from __future__ import annotations

from rojak.testing import Conversation, ModelServer, Reply, call

CUSTOMER = (
    "Hi, I am hungry!",
    "Two large pepperoni and a tiramisu, please.",
    "That is all. I would like to pay.",
    "Five stars, that was quick!",
)


def write_script(model: ModelServer) -> None:
    """The four agents' lines. Slow enough to be watched."""
    model.when(system="You greet").reply(Reply(tool_calls=[call("transfer_to_ordering")])).slow(delay=0.2)
    model.when(system="You take orders").reply(_take_order).slow(delay=0.5, chunk_delay=0.04)
    model.when(system="You take the payment").reply(_take_payment).slow(delay=0.3, chunk_delay=0.04)
    model.when(system="You thank").reply(_take_feedback).slow(delay=0.3, chunk_delay=0.04)


def _take_order(conversation: Conversation) -> Reply:
    said = conversation.last_text("user") or ""
    done = len(conversation.tool_results)
    if "hungry" in said:
        return Reply("Welcome! What may it be? We have pizza, and a very good tiramisu.")
    if "pay" in said:
        return Reply(tool_calls=[call("transfer_to_payment")])
    if done == 0:
        return Reply(tool_calls=[call("get_menu")])
    if done == 1:
        order = [call("add_to_cart", item="pepperoni", size="large", quantity=2), call("add_to_cart", item="tiramisu")]
        return Reply("Let me put that together.", tool_calls=order)
    return Reply(f"Two large pepperoni and a tiramisu. {conversation.tool_results[-1]}. Anything else?")


def _take_payment(conversation: Conversation) -> Reply:
    last = conversation.last
    if last is not None and last.role == "tool" and last.text.startswith("Charged"):
        return Reply(tool_calls=[call("transfer_to_feedback")])
    if last is not None and last.role == "tool" and "rejected" in last.text:
        return Reply("No payment was made. What may I change?")
    total = conversation.system.partition("$")[2].partition(" ")[0]
    return Reply(tool_calls=[call("process_payment", amount=float(total))])


def _take_feedback(conversation: Conversation) -> Reply:
    if "stars" not in (conversation.last_text("user") or ""):
        return Reply("Your pizza is on its way. How many stars do we get?")
    if not conversation.tool_results:
        return Reply(tool_calls=[call("leave_feedback", stars=5, comment="that was quick")])
    return Reply("Thank you, and enjoy your meal!")
