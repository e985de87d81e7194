"""The activity that asks a retriever."""

from __future__ import annotations

from collections.abc import Mapping

from temporalio import activity
from temporalio.exceptions import ApplicationError

from rojak.retrievers.base import RetrieverActivities
from rojak.types.activities import RETRIEVE, RetrieveRequest, RetrieveResult

#: Characters of retrieved text that go into the instructions.
MAX_RETRIEVED_CHARACTERS = 64 * 1024


class RetrievalActivity:
    """Dispatches retrievals to the activities that serve the retriever's type."""

    def __init__(self, retrievers: Mapping[str, RetrieverActivities]) -> None:
        self._retrievers = retrievers

    @activity.defn(name=RETRIEVE)
    async def retrieve(self, request: RetrieveRequest) -> RetrieveResult:
        """What the store has for the query, cut to a length that a session can carry.

        Raises:
            ApplicationError: this worker serves no such retriever (not retried).
        """
        serving = self._retrievers.get(request.retriever.type)
        if serving is None:
            known = ", ".join(sorted(self._retrievers)) or "none"
            raise ApplicationError(
                f"this worker serves no retriever of type {request.retriever.type!r} (it serves: {known});"
                " add that type's activities to create_worker([...])",
                type="ConfigurationError",
                non_retryable=True,
            )
        text = await serving.retrieve(request.query)
        return RetrieveResult(text=text[:MAX_RETRIEVED_CHARACTERS])
