"""Knowledge for agents from stores. Importing this needs no store's client."""

from rojak.retrievers.base import RetrieverActivities
from rojak.retrievers.qdrant import QdrantRetriever, QdrantRetrieverActivities, QdrantRetrieverOptions
from rojak.types.retriever import Retriever

__all__ = [
    "QdrantRetriever",
    "QdrantRetrieverActivities",
    "QdrantRetrieverOptions",
    "Retriever",
    "RetrieverActivities",
]
