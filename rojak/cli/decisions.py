"""Sending a human's decision without waiting for all that comes of it."""

from __future__ import annotations

import asyncio
import contextlib

from rojak.client import Rojak
from rojak.types.errors import RunCancelledError, RunFailedError, SessionNotFoundError
from rojak.types.session import ResumeResponse

_LOOK_EVERY = 0.1
_REFUSAL_PATIENCE = 0.5


async def send_decision(rojak: Rojak, session_id: str, decision: ResumeResponse) -> None:
    """Return as soon as the session has the decision; the turn goes on by itself.

    Raises:
        ToolCallNotPendingError: the call waits no more: somebody else decided, or its time was over.
        NoWorkerError: nobody is there to take the decision.
    """
    sending = asyncio.create_task(_send(rojak, session_id, decision))
    try:
        while not sending.done():
            await asyncio.wait({sending}, timeout=_LOOK_EVERY)
            if not sending.done() and not await _waits(rojak, session_id, decision.tool_id):
                # Taken; or somebody else was faster, and ours is about to be refused.
                await asyncio.wait({sending}, timeout=_REFUSAL_PATIENCE)
                break
        if sending.done():
            await sending
    finally:
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({sending}, timeout=1)


async def _send(rojak: Rojak, session_id: str, decision: ResumeResponse) -> None:
    # How the turn goes on after the decision is not what this is about.
    with contextlib.suppress(RunFailedError, RunCancelledError):
        await rojak.run(id=session_id, resume=decision)


async def _waits(rojak: Rojak, session_id: str, tool_id: str) -> bool:
    try:
        return tool_id in {request.tool_id for request in await rojak.get_pending_approvals(session_id)}
    except SessionNotFoundError:
        return False
