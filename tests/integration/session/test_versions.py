"""Versions of workers side by side: a turn ends with the code that it began with, the next one has the current code."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.workflow.v1 import VersioningOverride, WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionOptionsRequest

from rojak import Interrupt, ResumeResponse, Rojak
from rojak.agents import AgentRef, HandOffTool, OpenAIAgent, OpenAIAgentActivities, OpenAIAgentOptions
from rojak.client.tasks import make_task
from rojak.session.task import Settings
from rojak.testing import ModelServer
from rojak.types import ResumeRequest
from rojak.types.errors import SessionNotFoundError
from rojak.workflows.contracts import SCHEDULED_TURN_NAME, SIGNAL_NEW_VERSION, ScheduledTurn
from tests.integration.session.conftest import answer, task
from tests.integration.session.test_rollover import count_runs
from tests.integration.session.versions import (
    deployment_config,
    make_current,
    tell_until_on,
    tell_until_told,
    until_on,
    version_of,
)

pytestmark = pytest.mark.timeout(180)

V1, V2 = "v1", "v2"


class Versions:
    """Workers of one pool, with functions that tell which version they are of."""

    def __init__(self, rojak: Rojak, model: ModelServer, options: dict[str, Any]) -> None:
        self.rojak = rojak
        self.deployment = f"{rojak.task_queue}/pool"
        self._model = model
        self._options = options
        helper_queue = f"{rojak.task_queue}.helper"
        self._there = Rojak(rojak.client, helper_queue)
        interrupts = [Interrupt("pay")]
        helper = HandOffTool(AgentRef("helper", task_queue=helper_queue), "Helps")
        functions = ["which", "pay"]
        self._agent = OpenAIAgent(name="lead", functions=functions, interrupts=interrupts, tools=[helper])
        self._helper = OpenAIAgent(name="helper", functions=functions)

    @contextlib.asynccontextmanager
    async def running(self, build_id: str | None) -> AsyncIterator[None]:
        """The workers of a version, for both agents; None: as without versions."""

        def which() -> str:
            """Which version."""
            return str(build_id)

        def pay() -> str:
            """Pay; has to be approved."""
            return f"paid by {build_id}"

        def activities() -> OpenAIAgentActivities:
            options = OpenAIAgentOptions(api_key="test", base_url=self._model.base_url, all_functions=[which, pay])
            return OpenAIAgentActivities(options)

        options = dict(self._options)
        if build_id is not None:
            options["deployment_config"] = deployment_config(self.deployment, build_id)
        async with (
            self.rojak.create_worker([activities()], agents=[self._agent], **options),
            self._there.create_worker([activities()], agents=[self._helper], **options),
        ):
            yield

    async def current(self, build_id: str) -> None:
        await make_current(self.rojak.client, self.deployment, build_id)

    async def run(self, session_id: str, *lines: str, **fields: Any) -> Any:
        """The result of a turn."""
        fields = {"type": "persistent"} | fields
        script = task(*lines, agent=AgentRef("lead"))  # type: ignore[arg-type]
        return (await self.rojak.run(id=session_id, task=script, **fields)).result

    async def approve(self, session_id: str, request: Any) -> Any:
        assert isinstance(request, ResumeRequest)
        decision = ResumeResponse(action="approve", tool_id=request.tool_id)
        return (await self.rojak.run(id=session_id, resume=decision)).result


@pytest.fixture
def versions(rojak: Rojak, model: ModelServer, worker_options: dict[str, Any]) -> Versions:
    return Versions(rojak, model, worker_options)


async def test_a_turn_ends_on_its_version_and_the_next_one_has_the_current_code(
    versions: Versions, rojak: Rojak, session_id: str
) -> None:
    async with versions.running(V1):
        await versions.current(V1)
        waiting = await versions.run(session_id, "call pay; which", "call transfer_to_helper", "call which", "echo")
        async with versions.running(V2):
            await versions.current(V2)
            # What begins now begins with the current code.
            assert answer(await versions.run(f"{session_id}-new", "call which", "echo")) == V2
            # The turn that waited goes on with its own, at another agent of the pool too.
            ended = answer(await versions.approve(session_id, waiting))
            assert ended.startswith("paid by v1 | v1 | ")
            assert ended.endswith(" | v1")
            assert answer(await versions.run(session_id, "call transfer_to_lead; which", "echo")).endswith(V2)
            assert await version_of(rojak.client, session_id) == V2
            assert [m.role for m in (await rojak.get_config(session_id)).messages].count("user") == 2


async def test_an_idle_session_moves_when_it_is_told_of_a_new_version(
    versions: Versions, rojak: Rojak, session_id: str
) -> None:
    async with versions.running(V1):
        await versions.current(V1)
        assert answer(await versions.run(session_id, "call which", "echo")) == V1
        async with versions.running(V2):
            await versions.current(V2)
            await tell_until_on(rojak.client, session_id, V2)
            # And back again, though nothing happened in between.
            await versions.current(V1)
            await tell_until_on(rojak.client, session_id, V1)
        assert answer(await versions.run(session_id, "call which", "echo")) == V1


async def test_a_turn_that_rolls_over_in_the_middle_stays_and_the_session_moves_after_it(
    versions: Versions, rojak: Rojak, model: ModelServer, session_id: str
) -> None:
    versions.rojak = Rojak(rojak.client, rojak.task_queue, roll_over_after_events=25)
    async with versions.running(V1):
        await versions.current(V1)
        waiting = await versions.run(session_id, "call pay", *["call which"] * 12, "echo")
        async with versions.running(V2):
            await versions.current(V2)
            await tell_until_told(rojak.client, session_id)
            assert answer(await versions.approve(session_id, waiting)) == " | ".join(["paid by v1"] + ["v1"] * 12)
            assert await count_runs(rojak, session_id) > 2
            # The runs after the first one were not told of the new version; they know it from the one before.
            await until_on(rojak.client, session_id, V2)
            assert answer(await versions.run(session_id, "call which", "echo")) == V2


async def test_a_stateless_run_that_waits_for_approval_stays(versions: Versions, rojak: Rojak, session_id: str) -> None:
    async with versions.running(V1):
        await versions.current(V1)
        waiting = await versions.run(session_id, "call pay", "call which", "echo", type="stateless")
        async with versions.running(V2):
            await versions.current(V2)
            assert answer(await versions.approve(session_id, waiting)) == "paid by v1 | v1"


async def test_sessions_come_from_workers_without_versions_and_go_back(
    versions: Versions, rojak: Rojak, session_id: str
) -> None:
    async with versions.running(None):
        assert answer(await versions.run(session_id, "call which", "echo")) == "None"
        async with versions.running(V1):
            await versions.current(V1)
            assert answer(await versions.run(session_id, "call which", "echo")) == V1
            await versions.current("")
            await tell_until_on(rojak.client, session_id, "")
            assert answer(await versions.run(session_id, "call which", "echo")) == "None"


async def test_a_session_that_somebody_pinned_does_not_roll_over_without_end(
    versions: Versions, rojak: Rojak, session_id: str
) -> None:
    async with versions.running(V1), versions.running(V2):
        await versions.current(V1)
        await versions.run(session_id, "call which", "echo")
        pinned = WorkerDeploymentVersion(deployment_name=versions.deployment, build_id=V1)
        await rojak.client.workflow_service.update_workflow_execution_options(
            UpdateWorkflowExecutionOptionsRequest(
                namespace=rojak.client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=session_id),
                workflow_execution_options=WorkflowExecutionOptions(
                    versioning_override=VersioningOverride(
                        pinned=VersioningOverride.PinnedOverride(
                            behavior=VersioningOverride.PinnedOverrideBehavior.PINNED_OVERRIDE_BEHAVIOR_PINNED,
                            version=pinned,
                        )
                    )
                ),
                update_mask={"paths": ["versioning_override"]},
            )
        )
        await versions.current(V2)
        for _ in range(3):
            await rojak.client.get_workflow_handle(session_id).signal(SIGNAL_NEW_VERSION)
            assert answer(await versions.run(session_id, "call which", "echo")) == V1
        # A run for each signal and for each turn at most.
        assert await count_runs(rojak, session_id) <= 8


async def test_a_schedules_turn_that_waits_for_its_session_keeps_no_version_alive(
    versions: Versions, rojak: Rojak, session_id: str
) -> None:
    async with versions.running(V1):
        await versions.current(V1)
        script = task("call pay", "echo", agent=AgentRef("lead"))  # type: ignore[arg-type]
        turn = ScheduledTurn(session_id=session_id, task=make_task(script, None, Settings(), task_id="scheduled"))
        handle = await rojak.client.start_workflow(
            SCHEDULED_TURN_NAME, turn, id=f"{session_id}-turn", task_queue=rojak.task_queue
        )
        async with versions.running(V2):
            await versions.current(V2)
            pending: list[ResumeRequest] = []
            async with asyncio.timeout(60):
                while not pending:
                    with contextlib.suppress(SessionNotFoundError):
                        pending = await rojak.get_pending_approvals(session_id)
                    await asyncio.sleep(0.1)
            await until_on(rojak.client, f"{session_id}-turn", V2)
            await rojak.run(id=session_id, resume=ResumeResponse(action="approve", tool_id=pending[0].tool_id))
            await handle.result()
