"""The activity that asks a retriever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from pydantic_core import to_json
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from rojak.retrievers.base import RetrieverActivities
from rojak.session.limits import RETRIEVED_BYTES
from rojak.telemetry.spans import retrieval_span
from rojak.tools.heartbeat import heartbeating
from rojak.types.activities import RETRIEVE, RetrieveRequest, RetrieveResult
from rojak.types.errors import ConfigurationError, RetrievalError
from rojak.types.retriever import Passage, Retriever

logger = logging.getLogger(__name__)

#: A failure that may pass is tried once more; then the agent goes on without.
MAX_ATTEMPTS = 2
#: Sources that are named to the caller of a run, and characters of each.
MAX_SOURCES = 20
MAX_SOURCE_CHARACTERS = 100


class RetrievalActivity:
    """Dispatches look-ups to the activities that serve the retriever; ``retrievers`` are by label."""

    def __init__(self, retrievers: Mapping[str, RetrieverActivities]) -> None:
        self._retrievers = retrievers

    @activity.defn(name=RETRIEVE)
    async def retrieve(self, request: RetrieveRequest) -> RetrieveResult:
        """What the store has for the query, cut to what a session can carry; a failure is a result, too.

        Raises:
            ApplicationError: the store failed in a way that may pass (tried once more).
        """
        if not request.query.strip():
            return RetrieveResult(text="")
        try:
            async with heartbeating():
                found = await self._ask(request)
        # A store may raise anything, and no agent may fail because of it.
        except Exception as error:
            failure = describe_failure(error)
            logger.debug("retriever %s failed: %s", request.retriever.label, failure.error_type, exc_info=error)
            if isinstance(error, ConfigurationError | TimeoutError) or activity.info().attempt >= MAX_ATTEMPTS:
                return failure
            # Benign: Temporal's own log would quote the store's text.
            benign = ApplicationErrorCategory.BENIGN
            raise ApplicationError(failure.reason or "", type=failure.error_type, category=benign) from None
        return render_passages([Passage(text=found, source="")] if isinstance(found, str) else found)

    async def look_up(self, retriever: Retriever, query: str) -> RetrieveResult:
        """The same as part of another activity: one attempt, and whatever fails is a result."""
        try:
            found = await self._ask(RetrieveRequest(retriever=retriever, query=query))
            return render_passages([Passage(text=found, source="")] if isinstance(found, str) else found)
        # A store may raise anything, and no agent may fail because of it.
        except Exception as error:
            logger.debug("retriever %s failed: %s", retriever.label, type(error).__name__, exc_info=error)
            return describe_failure(error)

    async def _ask(self, request: RetrieveRequest) -> Sequence[Passage] | str:
        label, session_id = request.retriever.label, activity.info().workflow_id or ""
        with retrieval_span(retriever=label, session_id=session_id, query=request.query) as span:
            found = await self._fetch(request)
            # A text is one result, as it is one passage to the model.
            span.set(rojak__retrieval__results=int(bool(found)) if isinstance(found, str) else len(found))
            return found

    async def _fetch(self, request: RetrieveRequest) -> Sequence[Passage] | str:
        wanted = request.retriever
        serving = self._retrievers.get(wanted.label)
        if serving is None:
            known = ", ".join(sorted(self._retrievers)) or "none"
            raise ConfigurationError(
                f"this worker serves no retriever {wanted.label!r} (it serves: {known}); add that one's"
                " activities to create_worker([...])"
            )
        try:
            async with asyncio.timeout(wanted.timeout_in_seconds) as limit:
                return await serving.retrieve(request.query, wanted)
        except TimeoutError as error:
            if not limit.expired():
                raise RetrievalError("the store did not answer in time") from error
            seconds = f"{wanted.timeout_in_seconds:g} s"
            raise TimeoutError(f"no answer within {seconds}; see to the store, or raise timeout_in_seconds") from None


def describe_failure(error: Exception) -> RetrieveResult:
    """The failure as a result. Messages that may quote somebody are left out."""
    quotable = isinstance(error, ConfigurationError | RetrievalError | TimeoutError) and str(error)
    return RetrieveResult(
        error_type=type(error).__name__,
        reason=str(error) if quotable else "the retriever raised it; its log at level DEBUG has the traceback",
    )


def render_passages(passages: Sequence[Passage]) -> RetrieveResult:
    """Passages as the model reads them, each after its source, as many as there is room for.

    Raises:
        TypeError: something is no passage.
    """
    lines: list[str] = []
    sources: list[str] = []
    room = RETRIEVED_BYTES
    for passage in passages:
        if not isinstance(passage, Passage):
            raise TypeError(f"retrieve has to return Passage objects or a text, not {type(passage).__name__}")
        source = " ".join(passage.source.split())[:MAX_SOURCE_CHARACTERS]
        line = _cut(f"[{source}] {passage.text}" if source else passage.text, room)
        if not line:
            break
        room -= len(to_json(line)) + 4
        lines.append(line)
        if source and source not in sources and len(sources) < MAX_SOURCES:
            sources.append(source)
    return RetrieveResult(text="\n\n".join(lines), sources=sources)


def _cut(text: str, room: int) -> str:
    """As much of the text as has room in JSON, the blank line after it included."""
    while text and (size := len(to_json(text)) + 4) > room:
        text = text[: min(len(text) - 1, len(text) * room // size)]
    return text
