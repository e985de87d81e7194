"""How an MCP server is reached, and what it said, without the client that asks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rojak_operator.desired.reasons import Reason


@dataclass(frozen=True)
class Endpoint:
    """How to reach a server; headers and trust hold secrets."""

    url: str
    transport: str
    timeout: float
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca: str | None = field(default=None, repr=False)
    verify: bool = True


@dataclass(frozen=True)
class Discovered:
    """What a server said.

    Attributes:
        reason: of the condition Reachable.
        message: of the condition.
        status: the part of the status that tells of tools; empty where the server was not reached.
    """

    reason: Reason
    message: str
    status: dict[str, Any] = field(default_factory=dict)

    @property
    def is_reached(self) -> bool:
        """Whether the server listed its tools."""
        return self.reason is Reason.REACHABLE
