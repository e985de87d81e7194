"""What a model is offered besides functions: the common part of every such tool, as data on an agent."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SerializeAsAny

#: What providers take as the name of a tool.
TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
MAX_NAME = 64


class Tool(BaseModel):
    """A tool that is no function. Its subclasses are the kinds there are.

    Attributes:
        kind: tells the kinds apart where a tool is stored.
        name: by which models call it: letters, digits, ``_`` and ``-``, at most 64.
        description: tells the model what it is good for.
    """

    model_config = ConfigDict(extra="forbid")

    #: Every subclass with a ``kind`` of its own, so that stored data finds its class again.
    known_kinds: ClassVar[dict[str, type[Tool]]] = {}

    kind: str
    name: str
    description: str = Field(min_length=1)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Register the subclass under its ``kind``."""
        super().__pydantic_init_subclass__(**kwargs)
        default = cls.model_fields["kind"].default
        if isinstance(default, str):
            Tool.known_kinds[default] = cls

    def model_post_init(self, context: Any, /) -> None:
        """Keep what identifies the tool on the wire, and refuse a name that no provider takes."""
        self.__pydantic_fields_set__.update(("kind", "name"))
        if not TOOL_NAME.fullmatch(self.name):
            raise ValueError(
                f"{self.name!r} is no name of a tool: give name=... of letters, digits, '_' and '-' (at most 64)"
            )

    def parameters(self) -> dict[str, Any]:
        """JSON schema of the arguments that a model calls it with."""
        return {"type": "object", "properties": {}}

    def schema_for_models(self) -> dict[str, Any]:
        """The tool in OpenAI's form."""
        function = {"name": self.name, "description": self.description, "parameters": self.parameters()}
        return {"type": "function", "function": function}


class ForeignTool(Tool):
    """A tool whose kind this process does not know, carried along as data; it is offered to no model."""

    model_config = ConfigDict(extra="allow")


def _revive(value: Any) -> Any:
    """Give stored data the class that its ``kind`` names."""
    if not isinstance(value, dict):
        return value
    return Tool.known_kinds.get(value.get("kind", ""), ForeignTool).model_validate(value)


#: A tool as stored and sent; see `rojak.types.agent.AnyAgent`.
AnyTool = Annotated[SerializeAsAny[Tool], BeforeValidator(_revive)]


def name_from(text: str) -> str:
    """A tool's name made from any text: ``"Weather expert"`` becomes ``weather_expert``. Empty if nothing is left.

    What is too long is cut, and told apart from others by a digest of all of it.
    """
    name = re.sub(r"[^a-z0-9_-]+", "_", text.lower()).strip("_")
    if len(name) <= MAX_NAME:
        return name
    digest = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
    return f"{name[: MAX_NAME - len(digest) - 1]}_{digest}"
