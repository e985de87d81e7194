"""How to reach an MCP server."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class MCPServerConfig(BaseModel):
    """One MCP server: a child process that speaks over its standard streams, or an HTTP endpoint with SSE.

    Attributes:
        type: the transport.
        command: for ``stdio``, the program to start.
        args: its arguments.
        env: environment variables of the program; None means a minimal default environment.
        url: for ``sse``, the endpoint.
    """

    model_config = ConfigDict(extra="forbid")

    type: Literal["stdio", "sse"]
    command: str | None = None
    args: list[str] = []
    env: dict[str, str] | None = Field(default=None, repr=False)
    url: str | None = None

    @model_validator(mode="after")
    def _has_what_its_transport_needs(self) -> Self:
        if self.type == "stdio" and not self.command:
            raise ValueError("an MCP server of type 'stdio' needs a command")
        if self.type == "sse" and not self.url:
            raise ValueError("an MCP server of type 'sse' needs a url")
        return self
