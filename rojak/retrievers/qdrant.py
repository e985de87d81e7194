"""Knowledge out of Qdrant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from rojak.retrievers.base import RetrieverActivities
from rojak.retrievers.embedding import Embedding, FastEmbedding
from rojak.retrievers.qdrant_errors import check_collection, describe_place, explain_failure
from rojak.retrievers.qdrant_options import QdrantRetrieverOptions, check_options
from rojak.types.errors import ConfigurationError, MissingExtraError
from rojak.types.retriever import Passage, Retriever

#: Seconds that one request to the store may take. A look-up as a whole ends earlier, as the agent's retriever says.
REQUEST_TIMEOUT = 60


class QdrantRetriever(Retriever):
    """Makes an agent look things up in the collection that the worker is set up with."""

    type: str = "qdrant"


class QdrantRetrieverActivities(RetrieverActivities):
    """Asks a Qdrant collection.

    Raises:
        MissingExtraError: the client is not installed.
        ConfigurationError: it is not said where the store is, or in two ways.
    """

    retriever_type: ClassVar[str] = "qdrant"

    def __init__(self, options: QdrantRetrieverOptions) -> None:
        try:
            # Here, and not when the first question comes: importing it takes a second.
            import qdrant_client
        except ImportError as error:
            message = "Qdrant retrievers need the qdrant-client package: pip install 'rojak[qdrant-client]'"
            raise MissingExtraError(message) from error
        check_options(options)
        self.retriever_name = options.name
        self._options = options
        self._qdrant = qdrant_client
        self._client: Any = options.client
        self._embedding: Embedding | None = None
        if options.embed is not None:
            self._embedding = Embedding(options.embed)
        elif not options.cloud_inference:
            self._embedding = FastEmbedding(options.embedding_model)

    @property
    def client(self) -> Any:
        """The ``AsyncQdrantClient``, opened when first asked for: to fill an embedded store, for instance.

        Raises:
            RuntimeError: another process uses the folder of the embedded store.
        """
        if self._client is None:
            options = self._options
            if options.url is not None:
                where: dict[str, Any] = {"url": options.url, "api_key": options.api_key, "timeout": REQUEST_TIMEOUT}
                where |= {"cloud_inference": options.cloud_inference, "check_compatibility": False}
            else:
                where = {"location": ":memory:"} if options.path == ":memory:" else {"path": options.path}
            self._client = self._qdrant.AsyncQdrantClient(**where)
        return self._client

    async def retrieve(self, query: str, retriever: Retriever) -> list[Passage]:
        """The best passages, each with its source."""
        options = self._options
        vector = await self._vector(query)
        client: Any = None
        try:
            client = self.client
            found = await client.query_points(
                options.collection_name,
                query=vector,
                using=options.vector_name,
                limit=options.limit,
                score_threshold=options.score_threshold,
                with_payload=True,
            )
        # Its client raises what its transport, its server and numpy do.
        except Exception as error:
            raise await explain_failure(client, options, vector, error) from error
        return self._read_passages(found.points)

    async def check(self) -> None:
        """See whether the collection is there, and whether its vectors are as long as those of queries."""
        vector = await self._vector("size")
        try:
            await check_collection(self.client, self._options, vector)
        except ConfigurationError:
            raise
        # As above.
        except Exception as error:
            raise await explain_failure(None, self._options, vector, error) from error

    async def close(self) -> None:
        """Close the client, unless it is the user's, or the store lives in it alone."""
        if self._client is not None and self._options.client is None and self._options.path != ":memory:":
            client, self._client = self._client, None
            await client.close()

    async def _vector(self, text: str) -> Any:
        if self._embedding is None:
            return self._qdrant.models.Document(text=text, model=self._options.embedding_model)
        return await self._embedding.embed(text)

    def _read_passages(self, points: Sequence[Any]) -> list[Passage]:
        options = self._options
        passages = []
        for point in points:
            payload = point.payload or {}
            texts = (read_field(payload, field) for field in options.text_fields)
            text = next((str(text) for text in texts if text), None)
            if text is not None:
                source = read_field(payload, options.source_field)
                passages.append(Passage(text=text, source=str(source or point.id)))
        if points and not passages:
            has = ", ".join(sorted(points[0].payload or {})) or "none"
            raise ConfigurationError(
                f"what was found in {describe_place(options)} has no text: its payload has the fields {has}, and none"
                f" of {', '.join(options.text_fields)}; name the one with the text in text_fields="
            )
        return passages


def read_field(payload: Mapping[str, Any], path: str) -> Any:
    """The value at a path with dots; a field whose own name has dots comes first. None if there is none."""
    if path in payload:
        return payload[path]
    value: Any = payload
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
