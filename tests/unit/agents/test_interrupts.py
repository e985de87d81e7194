from __future__ import annotations

import logging

import pytest

from rojak.agents import Interrupt, OpenAIAgent
from rojak.agents.interrupts import InterruptCheck
from rojak.types.errors import ConfigurationError


def check(
    *interrupts: Interrupt,
    servers: tuple[str, ...] = (),
    unsure: tuple[str, ...] = (),
    checker: InterruptCheck | None = None,
) -> None:
    agent = OpenAIAgent(name="Clerk", functions=["pay"], interrupts=list(interrupts))
    (checker or InterruptCheck()).check(
        agent, offered=["pay"], registered=["pay", "refund"], servers=servers, unsure=unsure
    )


@pytest.mark.parametrize(
    "interrupt",
    [
        Interrupt("pay"),
        # Of another agent of this worker.
        Interrupt("refund"),
        Interrupt("files_*"),
        Interrupt("p?y"),
        Interrupt(destructive=True),
    ],
)
def test_what_may_stand_for_a_tool_is_taken(interrupt: Interrupt) -> None:
    check(interrupt)


def test_a_misspelt_interrupt_is_refused_and_says_what_may_have_been_meant() -> None:
    with pytest.raises(ConfigurationError, match=r"'Clerk' has an interrupt for 'pya'.*Did you mean 'pay'\?"):
        check(Interrupt("pay"), Interrupt("pya"))


def test_an_interrupt_for_a_server_that_the_agent_does_not_use_is_refused() -> None:
    check(Interrupt(server="files"), servers=("files",))
    with pytest.raises(ConfigurationError, match=r"MCP server 'flies'.*it uses: files"):
        check(Interrupt(server="flies"), servers=("files",))


def test_what_no_server_has_that_is_up_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'delete_file'"):
        check(Interrupt("delete_file"), servers=("files",))


def test_what_a_server_that_is_down_may_know_is_a_warning_given_once(caplog: pytest.LogCaptureFixture) -> None:
    checker = InterruptCheck()
    with caplog.at_level(logging.WARNING, "rojak"):
        for _ in range(3):
            check(Interrupt("delete_file"), servers=("files", "up"), unsure=("files",), checker=checker)
    assert [record.getMessage() for record in caplog.records] == [
        "agent 'Clerk' has an interrupt for 'delete_file', and there is no such tool now."
        " If no MCP server whose tools are not known (files) has it, it is misspelt"
    ]
