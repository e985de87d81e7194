"""What the team of the pizza place can do, and how it knows what to take.

Functions keep the order in the context variables, which travel with the conversation: `cart` is a list of lines,
each with an item, a size and a quantity.
"""

from __future__ import annotations

from typing import Any, Literal

from rojak.tools import current_call

Item = Literal["margherita", "pepperoni", "funghi", "tiramisu"]
Size = Literal["small", "medium", "large"]

PRICES: dict[str, float] = {"margherita": 9.0, "pepperoni": 11.0, "funghi": 10.0, "tiramisu": 6.0}
FACTORS: dict[str, float] = {"small": 0.8, "medium": 1.0, "large": 1.3}


def get_menu() -> dict[str, float]:
    """The menu: each dish with its price in dollars for the medium size."""
    return PRICES


def add_to_cart(context_variables: dict[str, Any], item: Item, size: Size = "medium", quantity: int = 1) -> str:
    """Add a dish to the order. Look at the menu first.

    Args:
        item: name of the dish.
        size: of each piece.
        quantity: how many.
    """
    line = {"item": item, "size": size, "quantity": quantity}
    context_variables["cart"] = [*context_variables.get("cart", []), line]
    return f"Added {quantity} {size} {item}. Total now: ${total_of(context_variables['cart']):.2f}"


def view_cart(context_variables: dict[str, Any]) -> dict[str, Any]:
    """The order so far, with its total in dollars."""
    cart = context_variables.get("cart", [])
    return {"cart": cart, "total": total_of(cart)}


def process_payment(context_variables: dict[str, Any], amount: float) -> str:
    """Charge the customer's card. Needs an approval.

    Args:
        amount: in dollars.
    """
    # A payment must not be made twice. A real provider takes this key and sees to that.
    receipt = current_call().idempotency_key.rsplit("/", 1)[-1]
    context_variables["paid"] = amount
    return f"Charged ${amount:.2f}. Receipt {receipt}."


def leave_feedback(context_variables: dict[str, Any], stars: Literal[1, 2, 3, 4, 5], comment: str = "") -> str:
    """Record what the customer thinks of the service."""
    context_variables["feedback"] = {"stars": stars, "comment": comment}
    return "Thank you for the feedback."


def total_of(cart: list[dict[str, Any]]) -> float:
    """What an order costs, in dollars."""
    return float(round(sum(PRICES[line["item"]] * FACTORS[line["size"]] * line["quantity"] for line in cart), 2))


def payment_instructions(context_variables: dict[str, Any]) -> str:
    """Instructions that know the total."""
    total = total_of(context_variables.get("cart", []))
    return (
        f"You take the payment of ${total:.2f} with process_payment. When it was made, hand over with"
        " transfer_to_feedback. When it was rejected, ask the customer what to change."
    )


def read_oven() -> str:
    """The temperature of the oven right now."""
    return "The oven is at 320 °C."
