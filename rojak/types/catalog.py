"""The tools of MCP servers as a session knows them: data, so that every replay decides alike."""

from __future__ import annotations

import hashlib
from typing import Any, Self

from pydantic import BaseModel, Field, TypeAdapter


class CatalogTool(BaseModel):
    """One tool of an MCP server.

    Attributes:
        name: under which models call it: the server's own name for it, after the prefix that its configuration gives.
        server: the name of the server in the worker's configuration.
        tool: the server's own name for it.
        description: for the model.
        input_schema: JSON schema of the arguments.
        read_only: the server says that it changes nothing (MCP's readOnlyHint; false unless said).
        destructive: it may destroy something (MCP's destructiveHint; true unless the server says otherwise, or
            that it only reads).
    """

    name: str
    server: str
    tool: str
    description: str = ""
    input_schema: dict[str, Any] = Field(default={"type": "object", "properties": {}})
    read_only: bool = False
    destructive: bool = True


class ToolCatalog(BaseModel):
    """The tools of a worker's MCP servers at one time.

    Attributes:
        digest: of the tools; the same tools have the same digest. Empty when there are none.
        tools: all of them, in the order of the servers' configuration.
    """

    digest: str
    tools: list[CatalogTool] = []

    @classmethod
    def of(cls, tools: list[CatalogTool]) -> Self:
        """The catalog of these tools, with their digest."""
        text = _TOOLS.dump_json(tools, exclude_unset=True)
        return cls(digest=hashlib.blake2b(text, digest_size=8).hexdigest() if tools else "", tools=tools)


_TOOLS: TypeAdapter[list[CatalogTool]] = TypeAdapter(list[CatalogTool])
