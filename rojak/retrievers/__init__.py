"""Knowledge for agents from stores. Importing this needs no store's client."""

from rojak.retrievers.base import RetrieverActivities
from rojak.retrievers.qdrant import QdrantRetriever, QdrantRetrieverActivities
from rojak.retrievers.qdrant_options import QdrantRetrieverOptions
from rojak.types.retriever import Passage, Retriever, RetrieverTool

__all__ = [
    "Passage",
    "QdrantRetriever",
    "QdrantRetrieverActivities",
    "QdrantRetrieverOptions",
    "Retriever",
    "RetrieverActivities",
    "RetrieverTool",
]
