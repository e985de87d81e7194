"""What a retriever is, as data on an agent: which store to ask. The worker's activities know how."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SerializeAsAny

from rojak.types.tools import Tool, name_from


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of knowledge as a store has it.

    Attributes:
        text: what the model reads.
        source: where it comes from, for the model and the caller: a page, a file, an id. Not longer than a title.
    """

    text: str
    source: str


class Retriever(BaseModel):
    """Names the kind of store that an agent asks for knowledge. Subclass it together with RetrieverActivities.

    Attributes:
        type: the worker finds the retriever activities that serve it by this,
        name: and, where it has several of one type, by this name of theirs.
        timeout_in_seconds: how long a look-up may take; the turn goes on without it then.
    """

    model_config = ConfigDict(extra="forbid")

    known_types: ClassVar[dict[str, type[Retriever]]] = {}

    type: str
    name: str | None = Field(default=None, min_length=1, max_length=64)
    timeout_in_seconds: float = Field(default=4.0, gt=0, le=300)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Register the subclass under its ``type``."""
        super().__pydantic_init_subclass__(**kwargs)
        default = cls.model_fields["type"].default
        if isinstance(default, str):
            Retriever.known_types[default] = cls

    def as_tool(self, *, description: str, name: str | None = None) -> RetrieverTool:
        """A tool for ``Agent(tools=[...])`` with which the model looks things up when it wants to.

        Args:
            description: what can be found there, for the model.
            name: of the tool; ``search_`` and the retriever's name, or its type, when left out.

        Raises:
            ValueError: the name is no name of a tool.
        """
        name = name or name_from(f"search_{self.name or self.type}")
        return RetrieverTool(name=name, description=description, retriever=self)

    @property
    def label(self) -> str:
        """Type and name in one, for people and for the labels of metrics."""
        return label_retriever(self.type, self.name)

    def model_post_init(self, context: Any, /) -> None:
        """Keep the type on the wire although it is a default of the subclass."""
        self.__pydantic_fields_set__.add("type")


def label_retriever(kind: str, name: str | None) -> str:
    """``"qdrant"``, or ``"qdrant/handbook"`` where one of several has a name."""
    return kind if name is None else f"{kind}/{name}"


class ForeignRetriever(Retriever):
    """A retriever whose class this process has not imported, carried along as data."""

    model_config = ConfigDict(extra="allow")


def _revive(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return Retriever.known_types.get(value.get("type", ""), ForeignRetriever).model_validate(value)


#: A retriever as stored and sent; see `rojak.types.agent.AnyAgent`.
AnyRetriever = Annotated[SerializeAsAny[Retriever], BeforeValidator(_revive)]


class RetrieverTool(Tool):
    """A retriever that the model asks, as often as it wants and for what it wants: see `Retriever.as_tool`.

    Attributes:
        retriever: which store.
    """

    kind: str = "retriever"
    retriever: AnyRetriever

    def parameters(self) -> dict[str, Any]:
        """One text: what to look for."""
        query = {"type": "string", "description": "What to look for, in a few words or a sentence."}
        return {"type": "object", "properties": {"query": query}, "required": ["query"]}

    def read_query(self, arguments: str) -> str:
        """The query in a model's arguments.

        Raises:
            ValueError: there is none; the text is for the model.
        """
        try:
            given = json.loads(arguments or "{}")
        except ValueError:
            given = None
        query = given.get("query") if isinstance(given, dict) else None
        if not isinstance(query, str) or not query.strip():
            raise ValueError(f'{self.name} takes {{"query": "what to look for"}}')
        return query
