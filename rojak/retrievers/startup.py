"""What a worker looks at when it starts: whether its retrievers can be asked. It works all the same."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from rojak.retrievers.base import RetrieverActivities
from rojak.retrievers.retrieval_activity import describe_failure

logger = logging.getLogger(__name__)

#: Seconds that a store has to answer the check.
CHECK_TIMEOUT = 10.0


async def check_retrievers(retrievers: Iterable[RetrieverActivities]) -> None:
    """Log a warning for each retriever that cannot be asked now."""
    await asyncio.gather(*(_check(retriever) for retriever in retrievers))


async def _check(retriever: RetrieverActivities) -> None:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            await retriever.check()
    except TimeoutError:
        _warn(retriever, f"no answer within {CHECK_TIMEOUT:g} s")
    except Exception as error:  # noqa: BLE001 - a store may raise anything, and no worker may fail because of it
        failure = describe_failure(error)
        _warn(retriever, f"{failure.error_type}: {failure.reason}", error)


def _warn(retriever: RetrieverActivities, problem: str, error: Exception | None = None) -> None:
    logger.warning(
        "retriever %s cannot be asked, agents go on without it: %s",
        retriever.label,
        problem,
        exc_info=error if logger.isEnabledFor(logging.DEBUG) else None,
    )
