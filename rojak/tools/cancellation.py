"""An activity that nobody waits for any more ends without a word in the log.

A session that is cancelled ends at once, and its activities hear of it with their next heartbeat: the server does not
know them any more. The SDK takes a cancellation for what it is only where the server asked for it, and calls this one,
and that of an activity whose time is up, a failure: a warning with a traceback for what somebody wanted.
"""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor


class QuietCancellation(Interceptor):
    """Put first among a worker's interceptors, so that all others see the cancellation as it is."""

    def intercept_activity(
        self,
        next: ActivityInboundInterceptor,  # noqa: A002 - Temporal's name for it
    ) -> ActivityInboundInterceptor:
        """Look at how activities end."""
        return _Inbound(next)


class _Inbound(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        try:
            return await super().execute_activity(input)
        except asyncio.CancelledError:
            details = activity.cancellation_details()
            if details is None or not (details.not_found or details.timed_out):
                raise
            # The server has forgotten the activity, or counted it as failed: what it is told now has no effect.
            raise ApplicationError(
                "nobody waits for this activity any more",
                type="Cancelled",
                category=ApplicationErrorCategory.BENIGN,
            ) from None
