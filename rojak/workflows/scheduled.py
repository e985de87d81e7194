"""A schedule's run whose message goes to one session that all runs of the schedule share.

A schedule can only start a workflow, and this is the one. It gives the task to the session and ends as the turn does,
so that the schedule's list of runs, its overlap policy and its pause after a failure mean what they say.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy, VersioningBehavior
from temporalio.exceptions import ActivityError, ApplicationError

from rojak.session.reply import Reply
from rojak.workflows import contracts
from rojak.workflows.contracts import ScheduledTurn

#: Each try is over within seconds. Until one succeeds Temporal tries again, which no history tells of.
_TRY = timedelta(seconds=30)
_RETRY = RetryPolicy(maximum_interval=timedelta(seconds=15))


@workflow.defn(name=contracts.SCHEDULED_TURN_NAME)
class ScheduledTurnWorkflow:
    """One turn of a session that goes on. It ends when the turn does, also where that waits for a human for days."""

    @workflow.run
    async def run(self, start: ScheduledTurn) -> Reply:
        """Give the task to the session and wait for the reply."""
        # The same however often something is tried again, and when somebody resets this workflow.
        task = start.task.model_copy(update={"id": workflow.info().first_execution_run_id})
        turn = ScheduledTurn(session_id=start.session_id, task=task)
        reply: Reply | None = await self._call(contracts.DELIVER_TASK, turn)
        if reply is None:
            reply = await self._call(contracts.FETCH_REPLY, _without_messages(turn))
        assert reply is not None
        if reply.kind == "failed":
            raise ApplicationError(reply.reason or "", type=reply.error_type, non_retryable=True)
        return reply

    async def _call(self, name: str, turn: ScheduledTurn) -> Reply | None:
        try:
            found: Reply | None = await workflow.execute_activity(
                name, turn, result_type=Reply, start_to_close_timeout=_TRY, retry_policy=_RETRY
            )
        except ActivityError as error:
            if isinstance(error.cause, ApplicationError):
                raise ApplicationError(error.cause.message, type=error.cause.type, non_retryable=True) from error
            raise
        return found


def _without_messages(turn: ScheduledTurn) -> ScheduledTurn:
    """Where the reply is. What the task says is in the history already."""
    return turn.model_copy(update={"task": turn.task.model_copy(update={"messages": []})})


@workflow.defn(name=contracts.SCHEDULED_TURN_NAME, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class VersionedScheduledTurnWorkflow(ScheduledTurnWorkflow):
    """The same on workers that have versions. It may wait for days, and keeps no old version alive meanwhile.

    Temporal refuses a behaviour from workers without versions, so that it cannot be said of the class above.
    """

    @workflow.run
    async def run(self, start: ScheduledTurn) -> Reply:
        """Give the task to the session and wait for the reply."""
        return await super().run(start)
