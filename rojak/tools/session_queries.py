"""What an activity asks of its own session: what its input left out, because it was large and was sent before.

Asked with patience: a query can be lost, and is sent again then.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from rojak.types.activities import CATALOG_QUERY, FRAME_QUERY, QUERY_PATIENCE, WINDOW_QUERY, Frame
from rojak.types.catalog import ToolCatalog
from rojak.types.messages import ConversationMessage

#: The activity is tried again as a whole where these are not enough.
_PATIENCE = tuple(timedelta(seconds=seconds) for seconds in QUERY_PATIENCE[:3])
_LOST = frozenset({RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.UNAVAILABLE})


async def fetch_window(start: int, end: int) -> list[ConversationMessage]:
    """The session's messages with absolute indexes ``start`` to ``end`` (exclusive)."""
    messages: list[ConversationMessage] = await _ask(WINDOW_QUERY, [start, end], list[ConversationMessage])
    return messages


async def fetch_frame() -> Frame:
    """The session's active agent and context variables.

    Raises:
        ApplicationError: it has no agent.
    """
    frame: Frame | None = await _ask(FRAME_QUERY, [], Frame)
    if frame is None:
        raise ApplicationError("the session has no agent", type="ConfigurationError", non_retryable=True)
    return frame


async def fetch_catalog() -> ToolCatalog | None:
    """The tools of MCP servers as the session knows them."""
    catalog: ToolCatalog | None = await _ask(CATALOG_QUERY, [], ToolCatalog)
    return catalog


async def _ask(name: str, args: list[Any], result_type: Any) -> Any:
    info = activity.info()
    handle = activity.client().get_workflow_handle(info.workflow_id or "", run_id=info.workflow_run_id)
    for patience in _PATIENCE:
        try:
            return await handle.query(name, args=args, result_type=result_type, rpc_timeout=patience)
        except RPCError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                # The SDK reports the cancellation of its caller as an error of its own.
                raise asyncio.CancelledError from error
            if error.status not in _LOST or patience is _PATIENCE[-1]:
                raise
    raise AssertionError("the last try returns or raises")
