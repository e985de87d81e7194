"""How to reach an MCP server."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

#: What each transport needs, and what only the other kind of transport has.
_NEEDS = {"stdio": "command", "sse": "url", "streamable-http": "url"}
_FOREIGN = {"stdio": ("url", "headers", "ca_cert"), "sse": ("command", "args", "env", "cwd")}
_FOREIGN["streamable-http"] = _FOREIGN["sse"]


class MCPServerConfig(BaseModel):
    """One MCP server: a child process that speaks over its standard streams, or an HTTP endpoint.

    Attributes:
        type: the transport. ``streamable-http`` is the one that servers of today speak over HTTP; ``sse`` its
            predecessor.
        command: for ``stdio``, the program to start.
        args: its arguments.
        env: environment variables of the program, on top of a minimal environment (PATH, HOME and the like).
        cwd: its working directory; None means the worker's.
        url: for ``sse`` and ``streamable-http``, the endpoint.
        headers: sent with every HTTP request, for instance an ``Authorization``.
        ca_cert: certificates in PEM of whom to trust at an ``https://`` url, instead of the usual authorities.
        verify: whether the server has to show a certificate that is trusted. Only to try things out is it False.
        timeout: seconds that connecting, and each call, may take. A call never takes longer than the agent's
            ``retry_options`` allow either.
        include: names of tools to take, as the server has them, with ``*`` and ``?`` as in file names; None takes
            all.
        exclude: those to leave out, of the ones taken.
        prefix: put before the name of each tool, to tell servers with tools of the same name apart.
    """

    model_config = ConfigDict(extra="forbid")

    type: Literal["stdio", "sse", "streamable-http"]
    command: str | None = None
    args: list[str] = Field(default=[], repr=False)
    env: dict[str, str] | None = Field(default=None, repr=False)
    cwd: str | None = None
    url: str | None = Field(default=None, repr=False)
    headers: dict[str, str] | None = Field(default=None, repr=False)
    ca_cert: str | None = Field(default=None, repr=False)
    verify: bool = True
    timeout: float = Field(default=30.0, gt=0)
    include: list[str] | None = None
    exclude: list[str] = []
    prefix: str = Field(default="", pattern=r"^[a-zA-Z0-9_-]{0,40}$")

    @model_validator(mode="after")
    def _has_what_its_transport_needs(self) -> Self:
        if not getattr(self, _NEEDS[self.type]):
            raise ValueError(f"an MCP server of type {self.type!r} needs a {_NEEDS[self.type]}")
        if foreign := [name for name in _FOREIGN[self.type] if getattr(self, name)]:
            raise ValueError(f"an MCP server of type {self.type!r} takes no {foreign[0]}; leave it out")
        if self.url is not None and not self.url.startswith(("http://", "https://")):
            raise ValueError("the url of an MCP server begins with http:// or https://")
        if self.type == "stdio" and not self.verify:
            raise ValueError("an MCP server of type 'stdio' takes no verify; leave it out")
        if self.ca_cert is not None and "-----BEGIN CERTIFICATE-----" not in self.ca_cert:
            raise ValueError(
                "ca_cert of an MCP server is no certificate in PEM; give the text of the file, not its path"
            )
        return self
