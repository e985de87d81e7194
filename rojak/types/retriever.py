"""What a retriever is, as data on an agent: which store to ask. The worker's activities know how."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, SerializeAsAny


class Retriever(BaseModel):
    """Names the kind of store that an agent asks for knowledge. Subclass it together with RetrieverActivities.

    Attributes:
        type: the worker finds the retriever activities that serve it by this.
    """

    model_config = ConfigDict(extra="forbid")

    known_types: ClassVar[dict[str, type[Retriever]]] = {}

    type: str

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Register the subclass under its ``type``."""
        super().__pydantic_init_subclass__(**kwargs)
        default = cls.model_fields["type"].default
        if isinstance(default, str):
            Retriever.known_types[default] = cls

    def model_post_init(self, context: Any, /) -> None:
        """Keep the type on the wire although it is a default of the subclass."""
        self.__pydantic_fields_set__.add("type")


class ForeignRetriever(Retriever):
    """A retriever whose class this process has not imported, carried along as data."""

    model_config = ConfigDict(extra="allow")


def _revive(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return Retriever.known_types.get(value.get("type", ""), ForeignRetriever).model_validate(value)


#: A retriever as stored and sent; see `rojak.types.agent.AnyAgent`.
AnyRetriever = Annotated[SerializeAsAny[Retriever], BeforeValidator(_revive)]
