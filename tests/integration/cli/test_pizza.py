"""Two terminals: `rojak dev` with the files of the pizza team in one, `rojak chat triage` in the other."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from tests.integration.cli.commands import Terminal, rojak
from tests.integration.laptop.dev_process import PIZZA, DevProcess


@pytest.mark.durability
@pytest.mark.timeout(400)
async def test_a_customer_orders_changes_the_bill_and_notices_no_death_of_a_worker() -> None:
    with DevProcess("-f", PIZZA) as dev:
        address = (await asyncio.to_thread(dev.wait_for, r"Temporal runs at (\S+?),"))[1]
        await asyncio.to_thread(dev.wait_for, "ready: rojak chat triage")
        chat = Terminal(address, "chat", "triage", "--session", "customer")
        try:
            await chat.read("you> ")
            await chat.type("Hi, I am hungry!")
            await chat.read("Welcome")
            await chat.read("you> ")
            await chat.type("Two large pepperoni and a tiramisu, please.")
            await asyncio.sleep(0.3)
            os.kill(dev.worker_pid(), signal.SIGKILL)
            await chat.read("$34.60")
            await chat.read("you> ")
            await chat.type("That is all. I would like to pay.")
            await chat.read("Charge the customer's card?")
            await chat.read("[e]? ")
            waiting = await rojak(address, "approvals", "list", "-o", "json")
            assert [row["session"] for row in waiting.data] == ["customer"]
            await chat.type("e")
            await chat.read("arguments> {")
            await chat.press("u")
            await chat.type('{"amount": 30.0}')
            await chat.read("you> ")
            await chat.type("Five stars, that was quick!")
            await chat.read("enjoy")
            assert await chat.leave() == 0
        finally:
            chat.close()
        screen = chat.screen()
        assert "hands over to" in screen
        assert "begins anew" not in screen
        assert "Continue with: rojak chat triage --session customer" in screen
        shown = (await rojak(address, "sessions", "show", "customer", "-o", "json")).data
        assert shown["context_variables"]["paid"] == 30.0

        async with asyncio.timeout(90):
            while True:
                (check,) = (await rojak(address, "schedules", "list", "-o", "json")).data
                if check["last_run"] is not None:
                    break
        assert check["schedule"] == "default.oven-check"
        assert len(check["next_runs"]) > 0
        assert dev.interrupt() == 0
