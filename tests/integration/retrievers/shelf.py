"""A store of the test's own: what the extension points are for."""

from __future__ import annotations

from collections.abc import Sequence

from rojak.retrievers import Passage, Retriever, RetrieverActivities


class ShelfRetriever(Retriever):
    type: str = "shelf"
    shelf: str = "A"


class ShelfActivities(RetrieverActivities):
    """Knows what the query says, or fails."""

    retriever_type = "shelf"

    async def retrieve(self, query: str, retriever: Retriever) -> Sequence[Passage] | str:
        assert isinstance(retriever, ShelfRetriever)
        if "fail" in query:
            raise LookupError(f"I quote: {query}")
        if "nothing" in query:
            return []
        if "text" in query:
            return "plain text"
        return [Passage(query, f"shelf {retriever.shelf}"), Passage("more", f"shelf {retriever.shelf}")]
