"""The part of the customer, and of the scripted model, for runs without an API key."""

from __future__ import annotations

from examples.pizza.manifests.model_script import write_script

__all__ = ["CUSTOMER", "write_script"]

CUSTOMER = (
    "Hi, I am hungry!",
    "Two large pepperoni and a tiramisu, please.",
    "That is all. I would like to pay.",
    "Five stars, that was quick!",
)
