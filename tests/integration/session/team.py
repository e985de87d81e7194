"""Agents and functions of the session tests, usable in the test's process and in worker processes."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from rojak.agents import Agent, AgentExecuteFnResult, Interrupt, OpenAIAgent
from rojak.tools import current_call


def add(context_variables: dict[str, Any], amount: int = 1) -> str:
    """Add to the sum."""
    context_variables["sum"] = context_variables.get("sum", 0) + amount
    return f"sum is {context_variables['sum']}"


def note(context_variables: dict[str, Any], key: str, value: str) -> str:
    """Write something down."""
    context_variables.setdefault("notes", {})[key] = value
    return "noted"


async def slow(seconds: float = 0.3) -> str:
    """Take a while."""
    await asyncio.sleep(seconds)
    return "slept"


def blocking(seconds: float = 0.3) -> str:
    """Take a while in a thread."""
    time.sleep(seconds)
    return "blocked"


def fail(reason: str = "no luck") -> str:
    """Raise."""
    raise ValueError(reason)


def pay(amount: int = 1) -> str:
    """Pay; has to be approved."""
    return f"paid {amount}"


def refund(amount: int = 1) -> str:
    """Pay back; has to be approved."""
    return f"refunded {amount}"


def ledger(entry: str) -> str:
    """Append a line with the call's key to the file that the environment names, then wait to be let go."""
    path = Path(os.environ["ROJAK_TEST_LEDGER"])
    with path.open("a") as file:
        file.write(f"{current_call().idempotency_key} {current_call().attempt} {entry}\n")
    gate = path.with_suffix(".open")
    while not gate.exists():
        time.sleep(0.02)
    return f"entered {entry}"


def transfer_to_b() -> Agent:
    """Hand over to B."""
    return agent_b


def transfer_to_c() -> Agent:
    """Hand over to C."""
    return agent_c


def promote(context_variables: dict[str, Any]) -> AgentExecuteFnResult:
    """Do all three: answer, hand over, change the context variables."""
    return AgentExecuteFnResult(output="promoted", agent=agent_b, context_variables={**context_variables, "level": "b"})


def instructions(context_variables: dict[str, Any]) -> str:
    """Instructions that know the user."""
    return f"Help {context_variables.get('user', 'nobody')}."


FUNCTIONS = [
    add,
    note,
    slow,
    blocking,
    fail,
    pay,
    refund,
    ledger,
    transfer_to_b,
    transfer_to_c,
    promote,
    instructions,
]

NAMES = [function.__name__ for function in FUNCTIONS if function is not instructions]

agent_a = OpenAIAgent(
    name="A", instructions="You are A.", functions=NAMES, interrupts=[Interrupt("pay"), Interrupt("refund")]
)
agent_b = OpenAIAgent(name="B", instructions="You are B.", functions=["add", "note"])
agent_c = OpenAIAgent(name="C", instructions="You are C.", functions=["add"])
