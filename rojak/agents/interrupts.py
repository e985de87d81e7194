"""Interrupts that stand for no tool: a misspelt one would let the call it was meant for run without a human."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Collection

from rojak.types.agent import Agent
from rojak.types.errors import ConfigurationError

logger = logging.getLogger(__name__)

#: Warnings that a worker remembers to have given, so that each is given once.
MAX_WARNED = 1024


class InterruptCheck:
    """Looks at an agent's interrupts before its model is asked."""

    def __init__(self) -> None:
        self._warned: set[tuple[str, str]] = set()

    def check(
        self,
        agent: Agent,
        *,
        offered: Collection[str],
        registered: Collection[str],
        servers: Collection[str],
        unsure: Collection[str],
    ) -> None:
        """Refuse an interrupt that names what cannot be called.

        A pattern may stand for nothing, and so may the name of a function that the worker knows and this agent does
        not call: several agents may share a list. A name that may be one of an MCP server whose tools are not known
        now is a warning.

        Args:
            agent: whose interrupts.
            offered: the names of the tools that its model is offered.
            registered: the names of the worker's functions.
            servers: the names of the MCP servers that the agent may use.
            unsure: those of them that may have more tools than are offered, because they are down for instance.

        Raises:
            ConfigurationError: names the interrupt and what may have been meant.
        """
        for interrupt in agent.interrupts:
            if interrupt.server is not None and interrupt.server not in servers:
                raise ConfigurationError(
                    f"agent {agent.name!r} has an interrupt for the MCP server {interrupt.server!r}, which it does not"
                    f" use (it uses: {', '.join(sorted(servers)) or 'none'}); its calls would not wait for anybody"
                )
            name = interrupt.tool_name
            if name is None or "*" in name or "?" in name or "[" in name or name in offered or name in registered:
                continue
            known = sorted({*offered, *registered})
            close = difflib.get_close_matches(name, known, n=1)
            told = f"agent {agent.name!r} has an interrupt for {name!r}, and there is no such tool"
            if unsure:
                self._warn(agent.name, name, told, unsure)
                continue
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ConfigurationError(
                f"{told}: no call would wait for approval.{hint} The agent's tools: {', '.join(offered) or 'none'}"
            )

    def _warn(self, agent_name: str, name: str, told: str, unsure: Collection[str]) -> None:
        if (agent_name, name) in self._warned or len(self._warned) >= MAX_WARNED:
            return
        self._warned.add((agent_name, name))
        servers = ", ".join(sorted(unsure))
        logger.warning("%s now. If no MCP server whose tools are not known (%s) has it, it is misspelt", told, servers)
