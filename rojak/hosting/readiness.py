"""Whether a worker really takes work: Temporal is asked whether it polls, on every queue that it serves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

logger = logging.getLogger(__name__)

#: Seconds between two looks: until it is ready, and from then on.
LOOK_UNTIL_READY = 0.3
LOOK_AGAIN = 20.0
#: Pollers ask again at least once a minute; one that was not seen for longer is gone.
POLLER_FRESHNESS = timedelta(seconds=75)
_TYPES = (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)


class Readiness:
    """Watches whether a worker takes work.

    Args:
        client: whose identity polls.
        task_queues: those that it is to poll.
    """

    def __init__(self, client: Client, task_queues: Sequence[str]) -> None:
        self._client = client
        self._task_queues = task_queues
        self._draining = False
        self._missing: str | None = "starting"

    @property
    def problem(self) -> str | None:
        """Why it takes no work; None when it does."""
        return "draining" if self._draining else self._missing

    def drain(self) -> None:
        """It takes no new work from now on."""
        self._draining = True

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        was_ready = False
        while True:
            self._missing = await self._look()
            if (self._missing is None) != was_ready:
                was_ready = self._missing is None
                logger.info("ready: all task queues are polled" if was_ready else f"not ready: {self._missing}")
            await asyncio.sleep(LOOK_AGAIN if was_ready else LOOK_UNTIL_READY)

    async def _look(self) -> str | None:
        for queue in self._task_queues:
            for kind in _TYPES:
                try:
                    if not await self._polls(queue, kind):
                        return f"task queue {queue!r} is not polled"
                except RPCError as error:
                    return f"Temporal does not answer ({error.status.name})"
        return None

    async def _polls(self, queue: str, kind: TaskQueueType.ValueType) -> bool:
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
        )
        answer = await self._client.workflow_service.describe_task_queue(request, timeout=timedelta(seconds=5))
        oldest = datetime.now(UTC) - POLLER_FRESHNESS
        return any(
            poller.identity == self._client.identity and poller.last_access_time.ToDatetime(tzinfo=UTC) > oldest
            for poller in answer.pollers
        )
