"""The team of a pizza place: four agents, whom they hand over to, and who asks a human first.

`manifests` has the same team as files, and what it can do.
"""

from __future__ import annotations

from typing import Any

from examples.pizza.manifests.tools import (
    add_to_cart,
    get_menu,
    leave_feedback,
    payment_instructions,
    process_payment,
    total_of,
    view_cart,
)
from rojak.agents import Agent, AgentExecuteFnResult, Interrupt, OpenAIAgent


def transfer_to_ordering() -> Agent:
    """Hand over to the agent that takes orders."""
    return ordering_agent


def transfer_to_payment(context_variables: dict[str, Any]) -> AgentExecuteFnResult:
    """Hand over to the agent that takes payments, once the order is complete."""
    total = total_of(context_variables.get("cart", []))
    return AgentExecuteFnResult(
        output=f"The order comes to ${total:.2f}.",
        agent=payment_agent,
        context_variables={**context_variables, "total": total},
    )


def transfer_to_feedback() -> Agent:
    """Hand over to the agent that asks how it was, after the payment."""
    return feedback_agent


triage_agent = OpenAIAgent(
    name="Triage",
    instructions="You greet the customers of a pizza place. Hand over to ordering as soon as they are hungry.",
    functions=["transfer_to_ordering"],
)

ordering_agent = OpenAIAgent(
    name="Ordering",
    instructions=(
        "You take orders. Look at the menu, add what the customer wants to the cart, say the total, and hand over"
        " to payment when the customer is done."
    ),
    functions=["get_menu", "add_to_cart", "view_cart", "transfer_to_payment"],
    # Each call changes the cart, so one has to see what the one before did.
    parallel_tool_calls=False,
)

payment_agent = OpenAIAgent(
    name="Payment",
    instructions={"type": "function", "name": "payment_instructions"},
    functions=["process_payment", "transfer_to_feedback"],
    interrupts=[Interrupt("process_payment", question="Charge the customer's card?")],
)

feedback_agent = OpenAIAgent(
    name="Feedback",
    instructions="You thank the customer, ask for one to five stars, and record them with leave_feedback.",
    functions=["leave_feedback"],
)

ALL_FUNCTIONS = [
    get_menu,
    add_to_cart,
    view_cart,
    process_payment,
    leave_feedback,
    transfer_to_ordering,
    transfer_to_payment,
    transfer_to_feedback,
    payment_instructions,
]
