"""Where a Qdrant collection is, and how it is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from rojak.types.errors import ConfigurationError

#: Fields of a point's payload that may hold its text, the first one that does counts.
TEXT_FIELDS = ("document", "text", "content", "page_content")


class QdrantRetrieverOptions(BaseModel):
    """Which collection, and how it is asked. Exactly one of ``url``, ``path`` and ``client`` says where it is.

    Attributes:
        collection_name: of the collection.
        url: of a Qdrant service.
        api_key: of that service.
        path: folder of an embedded store, or ``":memory:"``. One process at a time can use a folder; fill either one
            with `QdrantRetrieverActivities.client`.
        client: an ``AsyncQdrantClient`` of your own. It stays open when the worker stops.
        name: tells this store from another one in the same worker; agents name it: ``QdrantRetriever(name=...)``.
        limit: how many passages are retrieved at most.
        score_threshold: how well a passage has to match; None takes any.
        embed: makes a vector of a text, sync (in a thread) or async. None leaves it to Qdrant's own way: the
            fastembed package (``pip install fastembed``), or the service itself with ``cloud_inference``.
        embedding_model: with which model those embed.
        cloud_inference: whether the Qdrant service embeds the query.
        vector_name: which of a point's vectors is searched, in collections whose vectors have names.
        text_fields: fields of the payload that may hold the text, the first one that does counts. Dots lead into
            objects: ``"metadata.body"``.
        source_field: the field that says where a passage comes from. Without it the point's id does.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    collection_name: str = Field(min_length=1)
    url: str | None = None
    api_key: str | None = Field(default=None, repr=False)
    path: str | None = None
    client: Any | None = Field(default=None, repr=False)
    name: str | None = Field(default=None, min_length=1, max_length=64)
    limit: int = Field(default=5, ge=1, le=100)
    score_threshold: float | None = None
    embed: Callable[[str], Any] | None = Field(default=None, repr=False)
    embedding_model: str = "BAAI/bge-small-en-v1.5"
    cloud_inference: bool = False
    vector_name: str | None = None
    text_fields: tuple[str, ...] = Field(default=TEXT_FIELDS, min_length=1)
    source_field: str = "source"


def check_options(options: QdrantRetrieverOptions) -> None:
    """Refuse options that contradict each other.

    Raises:
        ConfigurationError: says which.
    """
    given = [name for name in ("url", "path", "client") if getattr(options, name) is not None]
    if len(given) != 1:
        said = f"it has {' and '.join(given)}" if given else "it has none"
        raise ConfigurationError(
            f"QdrantRetrieverOptions needs exactly one of url=, path= and client=, and {said}: where is the store?"
        )
    if options.cloud_inference and (options.path is not None or options.embed is not None):
        raise ConfigurationError("cloud_inference=True leaves embedding to a service: it needs url=, and no embed=")
    if options.api_key is not None and options.url is None:
        raise ConfigurationError("api_key= is for a service: it needs url=")
