"""Which agents are there to talk to, by name: asked of their workers, which are found through Temporal."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import WorkerStatus
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, GetSystemInfoRequest, ListWorkersRequest
from temporalio.client import ActivityFailureError, Client
from temporalio.service import RPCError, RPCStatusCode

from rojak.types.described import DESCRIBE_AGENTS, AgentDescription
from rojak.types.errors import AgentNotFoundError, NoWorkerError, RojakError
from rojak.workflows.contracts import WORKER_IDENTITY
from rojak.workflows.converter import derive_client

#: How long a worker may take to answer.
ANSWER_TIMEOUT = timedelta(seconds=5)
#: A worker that has not been heard of for longer than this is gone.
_FRESH = timedelta(seconds=45)
_PAGE = 200
#: The first server that does both, and what switches each of them there.
_SERVER = "1.32"
_TELL = "tell which workers there are"
_SETTINGS = ("frontend.WorkerHeartbeatsEnabled", "activity.enableStandalone")
#: Task queues that are asked at the same time.
_CONCURRENCY = 20


async def list_agents(client: Client) -> list[AgentDescription]:
    """The agents that `rojak worker` processes serve now, in this namespace of Temporal, by name.

    Raises:
        RojakError: this Temporal server cannot tell which workers there are.
    """
    client = derive_client(client)
    queues = await _find_queues(client)
    limit = asyncio.Semaphore(_CONCURRENCY)

    async def ask(queue: str) -> list[AgentDescription]:
        async with limit:
            try:
                found = await _ask(client, queue)
            except NoWorkerError:
                # Gone meanwhile.
                return []
        return [agent.model_copy(update={"workers": sorted(queues[queue])}) for agent in found]

    answers = await asyncio.gather(*(ask(queue) for queue in queues))
    return sorted((agent for found in answers for agent in found), key=lambda agent: (agent.name, agent.task_queue))


async def describe_agent(client: Client, task_queue: str, name: str) -> AgentDescription:
    """One agent, as a worker on its task queue has it now.

    Args:
        client: a connected Temporal client.
        task_queue: of the agent; ``<namespace>.<name>`` where it comes from a manifest.
        name: of the agent.

    Raises:
        NoWorkerError: nobody works on the task queue.
        AgentNotFoundError: its workers know no agent of that name.
        RojakError: this Temporal server cannot run activities without a workflow.
    """
    found = await _ask(derive_client(client), task_queue)
    for agent in found:
        if agent.name == name:
            return agent
    known = ", ".join(repr(agent.name) for agent in found) or "none"
    raise AgentNotFoundError(f"the workers on task queue {task_queue!r} know no agent {name!r}; they know: {known}")


async def _ask(client: Client, task_queue: str) -> list[AgentDescription]:
    try:
        answer: list[AgentDescription] = await client.execute_activity(
            DESCRIBE_AGENTS,
            id=f"describe-agents-{uuid.uuid4().hex}",
            task_queue=task_queue,
            result_type=list[AgentDescription],
            schedule_to_close_timeout=ANSWER_TIMEOUT,
        )
    except ActivityFailureError as error:
        raise NoWorkerError(
            f"no worker on task queue {task_queue!r} says which agents it knows ({error.cause}); start one, for"
            " instance with `rojak dev` or `rojak worker --config FILE`"
        ) from None
    except RPCError as error:
        raise await _explain(client, error, "run activities without a workflow") from error
    return answer


async def _find_queues(client: Client) -> dict[str, set[str]]:
    """Task queues of `rojak worker` processes, and who polls them."""
    queues: dict[str, set[str]] = {}
    oldest = datetime.now(UTC) - _FRESH
    token = b""
    while True:
        request = ListWorkersRequest(namespace=client.namespace, page_size=_PAGE, next_page_token=token)
        try:
            answer = await client.workflow_service.list_workers(request, timeout=ANSWER_TIMEOUT)
        except RPCError as error:
            raise await _explain(client, error, _TELL) from error
        for info in answer.workers_info:
            beat = info.worker_heartbeat
            is_there = (
                beat.status == WorkerStatus.WORKER_STATUS_RUNNING
                and beat.heartbeat_time.ToDatetime(tzinfo=UTC) > oldest
            )
            if is_there and beat.worker_identity.startswith(WORKER_IDENTITY):
                queues.setdefault(beat.task_queue, set()).add(beat.worker_identity)
        token = answer.next_page_token
        if not token:
            break
    if not queues:
        await _check_heartbeats(client)
    return queues


async def _check_heartbeats(client: Client) -> None:
    """Where workers' heartbeats are not kept, no worker found does not mean that there is none.

    Raises:
        RojakError: they are not kept.
    """
    request = DescribeNamespaceRequest(namespace=client.namespace)
    try:
        described = await client.workflow_service.describe_namespace(request, timeout=ANSWER_TIMEOUT)
    except RPCError:
        return  # it may be asked for workers, and not for this
    if not described.namespace_info.capabilities.worker_heartbeats:
        raise await _cannot(client, _TELL, "it keeps no heartbeats of workers")


async def _explain(client: Client, error: RPCError, what: str) -> RojakError:
    """What the server's refusal means for a person, and what to do about it."""
    if error.status is RPCStatusCode.PERMISSION_DENIED:
        return RojakError(
            f"Temporal does not allow this login to {what} ({error.message}); ask whoever runs it. Agents can be"
            " talked to by name without it"
        )
    if error.status is RPCStatusCode.UNIMPLEMENTED:
        return await _cannot(client, what, error.message)
    return RojakError(f"Temporal does not answer: {error.message}")


async def _cannot(client: Client, what: str, why: str) -> RojakError:
    try:
        system = await client.workflow_service.get_system_info(GetSystemInfoRequest(), timeout=ANSWER_TIMEOUT)
        version = system.server_version
    except RPCError:
        version = "of an unknown version"
    return RojakError(
        f"this Temporal server ({version}) cannot {what} ({why}): that takes server {_SERVER} or later, where"
        f" {' and '.join(_SETTINGS)} are not switched off. Agents can be talked to by name without it: rojak chat NAME"
    )
