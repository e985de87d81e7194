"""Knowledge out of Qdrant."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from rojak.retrievers.base import RetrieverActivities
from rojak.types.errors import ConfigurationError, MissingExtraError
from rojak.types.retriever import Retriever

#: Seconds that one request to the store may take; the agent goes on without what comes later.
REQUEST_TIMEOUT = 3
#: Fields of a point's payload that may hold its text, the first one that does counts.
TEXT_FIELDS = ("document", "text", "content")


class QdrantRetriever(Retriever):
    """Makes an agent look things up in the collection that the worker is set up with."""

    type: str = "qdrant"


class QdrantRetrieverOptions(BaseModel):
    """Which collection, and how it is asked.

    Attributes:
        collection_name: of the collection.
        url: of a Qdrant service.
        api_key: of that service.
        path: folder of an embedded store, or ``":memory:"``, instead of a service.
        client: an ``AsyncQdrantClient`` instead of one made from the above.
        limit: how many passages are retrieved at most.
        score_threshold: how well a passage has to match; None takes any.
        embed: makes a vector of a text, sync or async. None leaves it to the client (``pip install fastembed``).
        embedding_model: which model the client embeds with.
        text_fields: fields of the payload that may hold the text.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    collection_name: str
    url: str | None = None
    api_key: str | None = Field(default=None, repr=False)
    path: str | None = None
    client: Any | None = Field(default=None, repr=False)
    limit: int = Field(default=5, ge=1)
    score_threshold: float | None = None
    embed: Callable[[str], Any] | None = Field(default=None, repr=False)
    embedding_model: str = "BAAI/bge-small-en-v1.5"
    text_fields: tuple[str, ...] = TEXT_FIELDS


class QdrantRetrieverActivities(RetrieverActivities):
    """Asks a Qdrant collection.

    Raises:
        MissingExtraError: the client is not installed.
        ConfigurationError: it is not said where the store is.
    """

    retriever_type: ClassVar[str] = "qdrant"

    def __init__(self, options: QdrantRetrieverOptions) -> None:
        try:
            # Here, and not when the first question comes: importing it takes a second.
            import qdrant_client
        except ImportError as error:
            message = "Qdrant retrievers need the qdrant-client package: pip install 'rojak[qdrant-client]'"
            raise MissingExtraError(message) from error
        if not (options.client or options.url or options.path):
            raise ConfigurationError("QdrantRetrieverOptions needs url=, path= or client=: where is the store?")
        self._options = options
        self._make = qdrant_client.AsyncQdrantClient
        self._client: Any = options.client

    async def retrieve(self, query: str) -> str:
        """The best passages, each with its source."""
        options = self._options
        vector = await self._embed(query)
        found = await self._connect().query_points(
            options.collection_name,
            query=vector,
            limit=options.limit,
            score_threshold=options.score_threshold,
            with_payload=True,
            timeout=REQUEST_TIMEOUT,
        )
        passages = [self._render(point) for point in found.points]
        return "\n\n".join(passage for passage in passages if passage)

    async def close(self) -> None:
        """Close the client, unless it is the user's."""
        if self._options.client is None and self._client is not None:
            client, self._client = self._client, None
            await client.close()

    def _connect(self) -> Any:
        if self._client is None:
            options = self._options
            where = {"location": ":memory:"} if options.path == ":memory:" else {"path": options.path}
            if options.path is None:
                where = {"url": options.url, "api_key": options.api_key}
            self._client = self._make(**where, timeout=REQUEST_TIMEOUT)
        return self._client

    async def _embed(self, text: str) -> Any:
        if self._options.embed is None:
            from qdrant_client import models

            return models.Document(text=text, model=self._options.embedding_model)
        vector = self._options.embed(text)
        return await vector if inspect.isawaitable(vector) else vector

    def _render(self, point: Any) -> str | None:
        payload = point.payload or {}
        text = next((str(payload[field]) for field in self._options.text_fields if payload.get(field)), None)
        return None if text is None else f"[{payload.get('source', point.id)}] {text}"
