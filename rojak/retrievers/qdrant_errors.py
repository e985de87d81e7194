"""What went wrong with a Qdrant collection, in words that name it and the remedy, and quote nobody.

The client raises what its transport, its server, or numpy (in the embedded engine) happen to raise. So when something
fails, the collection itself is looked at: that tells more.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from rojak.retrievers.qdrant_options import QdrantRetrieverOptions
from rojak.types.errors import ConfigurationError, RetrievalError

#: Names of other collections or vectors that a message lists.
_LISTED = 10


def describe_place(options: QdrantRetrieverOptions) -> str:
    """The collection, and where it is; never a password that a URL may hold."""
    return f"collection {options.collection_name!r} of {describe_store(options)}"


def describe_store(options: QdrantRetrieverOptions) -> str:
    """Where the store is."""
    if options.path is not None:
        return f"the embedded Qdrant in {options.path}"
    if options.url is None:
        return "Qdrant"
    parts = urlsplit(options.url)
    return f"Qdrant at {options.url if parts.username is None else parts.hostname}"


async def check_collection(client: Any, options: QdrantRetrieverOptions, vector: Any) -> None:
    """See whether the collection can be searched for this vector.

    Raises:
        ConfigurationError: it is not there, or its vectors are of another length or name.
        Exception: whatever the client raises when it cannot ask.
    """
    if not await client.collection_exists(options.collection_name):
        names = [collection.name for collection in (await client.get_collections()).collections]
        raise ConfigurationError(
            f"there is no {describe_place(options)} (there is: {_list(names)}); mend collection_name=, or make it"
        )
    vectors = (await client.get_collection(options.collection_name)).config.params.vectors
    if isinstance(vectors, dict):
        if options.vector_name not in vectors:
            raise ConfigurationError(
                f"the vectors of {describe_place(options)} have names: {_list(list(vectors))}; choose with vector_name="
            )
        vectors = vectors[options.vector_name]
    elif options.vector_name is not None:
        raise ConfigurationError(f"the vectors of {describe_place(options)} have no names; leave vector_name= out")
    # Queries that the service embeds have no vector here.
    if vectors is not None and isinstance(vector, list) and vectors.size != len(vector):
        raise ConfigurationError(
            f"the vectors of {describe_place(options)} have {vectors.size} dimensions, and those of queries have"
            f" {len(vector)}; embed queries (embed=, embedding_model=) as the collection was filled"
        )


async def explain_failure(client: Any, options: QdrantRetrieverOptions, vector: Any, error: Exception) -> Exception:
    """The error to raise for what the client raised. ``client`` is None where the collection was looked at already."""
    from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

    store = describe_store(options)
    if isinstance(error, ResponseHandlingException):
        cause = type(error.source).__name__
        return RetrievalError(f"{store} does not answer ({cause}); look-ups work again when it does")
    if isinstance(error, UnexpectedResponse) and error.status_code in (401, 403):
        return ConfigurationError(f"{store} refuses access (status {error.status_code}); mend api_key=")
    if client is not None:
        try:
            await check_collection(client, options, vector)
        except ConfigurationError as found:
            return found
        except Exception as second:  # noqa: BLE001 - this, too, is what the client raised
            return await explain_failure(None, options, vector, second)
    if isinstance(error, UnexpectedResponse):
        return RetrievalError(f"{store} answered with status {error.status_code}")
    if isinstance(error, RuntimeError) and "already accessed" in str(error):
        return ConfigurationError(
            f"{store} is in use by another process; an embedded store serves one, a Qdrant service (url=) many"
        )
    return RetrievalError(f"{store} failed: {type(error).__name__}")


def _list(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:_LISTED]) or "none"
    return f"{shown}, ..." if len(names) > _LISTED else shown
