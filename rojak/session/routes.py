"""Where a tool call goes: what kind of thing the model named, as data that a pending call carries."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field


class FunctionRoute(BaseModel):
    """A function that is registered with the worker."""

    kind: Literal["function"] = "function"

    def model_post_init(self, context: object, /) -> None:
        """Keep the tag of the union on the wire although it is a default."""
        self.__pydantic_fields_set__.add("kind")


class MCPRoute(BaseModel):
    """A tool of an MCP server; ``tool`` is the server's own name for it."""

    kind: Literal["mcp"] = "mcp"
    server: str
    tool: str
    destructive: bool = False

    def model_post_init(self, context: object, /) -> None:
        """Keep the tag of the union on the wire although it is a default."""
        self.__pydantic_fields_set__.add("kind")


class AgentRoute(BaseModel):
    """Another agent, which answers from a session of its own. The tool itself is found on the active agent by name."""

    kind: Literal["agent"] = "agent"

    def model_post_init(self, context: object, /) -> None:
        """Keep the tag of the union on the wire although it is a default."""
        self.__pydantic_fields_set__.add("kind")


class RetrieverRoute(BaseModel):
    """A retriever's store. The tool itself is found on the active agent by name."""

    kind: Literal["retriever"] = "retriever"

    def model_post_init(self, context: object, /) -> None:
        """Keep the tag of the union on the wire although it is a default."""
        self.__pydantic_fields_set__.add("kind")


class HandOffRoute(BaseModel):
    """Another agent, which takes the conversation over; nothing is called.

    The tool itself is found on the active agent by name.
    """

    kind: Literal["handoff"] = "handoff"

    def model_post_init(self, context: object, /) -> None:
        """Keep the tag of the union on the wire although it is a default."""
        self.__pydantic_fields_set__.add("kind")


#: One kind of route for each kind of tool.
Route = Annotated[FunctionRoute | AgentRoute | RetrieverRoute | HandOffRoute | MCPRoute, Field(discriminator="kind")]
