"""Functions that must not act twice can tell which call they serve."""

from __future__ import annotations

import asyncio

import pytest

from rojak.tools import CallInfo, calling, current_call, execute_function, specify
from rojak.types.activities import ToolReturned

INFO = CallInfo(session_id="chat-1", agent_name="Waiter", turn=3, call_id="call_a", attempt=2)


def pay() -> str:
    return f"{current_call().idempotency_key} {current_call().attempt}"


async def pay_async() -> str:
    await asyncio.sleep(0)
    return pay()


@pytest.mark.parametrize("function", [pay, pay_async])
async def test_a_function_knows_its_call(function):
    with calling(INFO):
        outcome = await execute_function(specify(function), "", {}, timeout=5)
    assert outcome == ToolReturned(output="chat-1/3/call_a 2")


async def test_calls_at_the_same_time_do_not_mix():
    async def one(call_id: str) -> str:
        with calling(CallInfo(session_id="s", agent_name="A", turn=1, call_id=call_id)):
            outcome = await execute_function(specify(pay), "", {}, timeout=5)
        assert isinstance(outcome, ToolReturned)
        return outcome.output

    assert await asyncio.gather(*(one(str(n)) for n in range(20))) == [f"s/1/{n} 1" for n in range(20)]


def test_outside_a_call_there_is_none():
    with calling(INFO):
        assert current_call() is INFO
    with pytest.raises(RuntimeError, match="current_call\\(\\) was used outside a tool call"):
        current_call()
