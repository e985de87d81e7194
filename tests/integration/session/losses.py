"""A client that loses updates where a test says so: on the way to the session, or the answer on the way back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from temporalio.client import (
    DescribeWorkflowInput,
    Interceptor,
    OutboundInterceptor,
    QueryWorkflowInput,
    StartWorkflowUpdateInput,
    StartWorkflowUpdateWithStartInput,
    WorkflowExecutionDescription,
    WorkflowUpdateFailedError,
    WorkflowUpdateHandle,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError

#: The request never leaves; or the answer comes and is not heard; or the server says that no worker processed it.
How = Literal["request", "answer", "unprocessed"]


class Losses(Interceptor):
    """What is lost, and what the client did: calls, and queries of a kind in progress, now and at most."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.asking: Counter[str] = Counter()
        self.most_asking: Counter[str] = Counter()
        self.happened = asyncio.Condition()
        self._planned: dict[str, list[How]] = {}

    def lose(self, update: str, how: How, times: int = 1) -> None:
        """Lose the next updates of this name. Whoever sent them waits for ever."""
        self._planned.setdefault(update, []).extend([how] * times)

    def take(self, update: str) -> How | None:
        """How to lose this one."""
        planned = self._planned.get(update)
        return planned.pop(0) if planned else None

    async def wait_for_looks(self, count: int) -> None:
        """Wait until the client looked at sessions so often from now on."""
        goal = self.calls["describe"] + count
        await self.wait_for(lambda: self.calls["describe"] >= goal)

    async def wait_for_loss(self, update: str) -> None:
        """Wait until all of them are lost that are to be."""
        await self.wait_for(lambda: not self._planned[update])

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until the calls that were made fulfil the condition."""
        async with self.happened:
            await self.happened.wait_for(condition)

    async def count(self, call: str) -> None:
        """Note a call."""
        async with self.happened:
            self.calls[call] += 1
            self.happened.notify_all()

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002 - the SDK's name
        """Stand between the client and its calls."""
        return _Outbound(next, self)


class _Outbound(OutboundInterceptor):
    def __init__(self, next: OutboundInterceptor, losses: Losses) -> None:  # noqa: A002 - the SDK's name
        super().__init__(next)
        self._losses = losses

    async def start_workflow_update(self, input: StartWorkflowUpdateInput) -> WorkflowUpdateHandle[Any]:  # noqa: A002
        return await self._send(input.update, lambda: super(_Outbound, self).start_workflow_update(input))

    async def start_update_with_start_workflow(
        self,
        input: StartWorkflowUpdateWithStartInput,  # noqa: A002
    ) -> WorkflowUpdateHandle[Any]:
        return await self._send(
            input.update_workflow_input.update,
            lambda: super(_Outbound, self).start_update_with_start_workflow(input),
            input._on_start_error,
        )

    async def query_workflow(self, input: QueryWorkflowInput) -> Any:  # noqa: A002
        losses = self._losses
        await losses.count(input.query)
        losses.asking[input.query] += 1
        losses.most_asking[input.query] = max(losses.most_asking[input.query], losses.asking[input.query])
        try:
            return await super().query_workflow(input)
        finally:
            losses.asking[input.query] -= 1

    async def describe_workflow(self, input: DescribeWorkflowInput) -> WorkflowExecutionDescription:  # noqa: A002
        description = await super().describe_workflow(input)
        await self._losses.count("describe")
        return description

    async def _send(
        self,
        name: str,
        send: Callable[[], Awaitable[WorkflowUpdateHandle[Any]]],
        tell: Callable[[BaseException], None] = lambda error: None,
    ) -> WorkflowUpdateHandle[Any]:
        """Send it, or lose it; ``tell`` hears of a failure of what is not sent."""
        how = self._losses.take(name)
        await self._losses.count(name)
        match how:
            case None:
                return await send()
            case "unprocessed":
                failure = WorkflowUpdateFailedError(ApplicationError("it wasn't processed", type="UnprocessedUpdate"))
                tell(failure)
                raise failure
            case "answer":
                await send()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            if how == "request":
                tell(error)
            raise WorkflowUpdateRPCTimeoutOrCancelledError from error
        raise AssertionError("nobody sets the event")
