"""Puts sessions, providers and retrievers together into a Temporal worker."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import importlib.metadata
import inspect
import logging
from collections.abc import Generator, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.plugin import SimplePlugin
from temporalio.service import RPCError
from temporalio.worker import Worker, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from rojak.agents.base import AgentActivities
from rojak.agents.catalogs import CatalogDesk
from rojak.agents.describe_activity import DescribeActivity
from rojak.agents.model_activity import ModelActivity
from rojak.agents.named import NamedAgents
from rojak.agents.streaming import TextSink
from rojak.agents.summaries import SummaryActivity
from rojak.mcp import MCPToolActivity
from rojak.retrievers.base import RetrieverActivities
from rojak.retrievers.retrieval_activity import RetrievalActivity
from rojak.retrievers.startup import check_retrievers
from rojak.scheduled_turns import ScheduledTurnActivities
from rojak.tools.cancellation import QuietCancellation
from rojak.tools.tool_activity import ToolActivity
from rojak.types.agent import Agent
from rojak.types.errors import ConfigurationError, MissingExtraError
from rojak.types.mcp import MCPServerConfig
from rojak.workflows.contracts import AGENT_ATTRIBUTE, STATUS_ATTRIBUTE
from rojak.workflows.converter import adapt_data_converter
from rojak.workflows.orchestrator import OrchestratorWorkflow
from rojak.workflows.runner import SessionRunner
from rojak.workflows.scheduled import ScheduledTurnWorkflow, VersionedScheduledTurnWorkflow

if TYPE_CHECKING:
    from rojak.mcp.pool import MCPPool

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: A cached workflow of a worker that died is given to another worker after this long.
STICKY_TIMEOUT = timedelta(seconds=2)
#: How often text that is being generated can become visible.
HEARTBEAT_THROTTLE = timedelta(milliseconds=100)
#: How long activities may go on when a worker is asked to stop, unless the caller says otherwise.
GRACEFUL_SHUTDOWN = timedelta(seconds=5)
#: Model and tool calls that one worker has in progress at a time.
MAX_CONCURRENT_ACTIVITIES = 200

#: What the caller may set of Temporal's worker: all but what is Rojak's to set.
_WORKER_OPTIONS = inspect.signature(Worker.__init__).parameters.keys() - {
    "self",
    "client",
    "task_queue",
    "workflows",
    "activities",
}


def build_workflow_runner(given: WorkflowRunner | None = None) -> WorkflowRunner:
    """What runs sessions. Rojak's own workflow code needs no sandbox, and a sandbox costs a sixth of a worker's CPU.

    Args:
        given: the runner of a worker that has workflows of its own. It stays a sandbox, through which Rojak passes.
    """
    if isinstance(given, SandboxedWorkflowRunner):
        return dataclasses.replace(given, restrictions=given.restrictions.with_passthrough_modules("rojak"))
    return given or SessionRunner()


class RojakPlugin(SimplePlugin):
    """What a plain temporalio Client, Worker or Replayer needs to carry sessions, in one piece."""

    def __init__(self) -> None:
        super().__init__(
            "rojak.RojakPlugin",
            data_converter=lambda converter: adapt_data_converter(converter or DataConverter.default),
            workflows=[OrchestratorWorkflow, ScheduledTurnWorkflow],
            workflow_runner=build_workflow_runner,
        )


class RojakWorker:
    """Runs sessions and their model and tool calls: ``await worker.run()``, or ``async with worker:``.

    It can be run again after it ended. Awaiting the object gives the object, so that both
    ``worker = await rojak.create_worker(...)`` and ``worker = rojak.create_worker(...)`` work.
    """

    def __init__(
        self,
        client: Client,
        task_queue: str,
        activities: Sequence[AgentActivities | RetrieverActivities],
        *,
        agents: Iterable[Agent] = (),
        mcp_servers: Mapping[str, MCPServerConfig] | None = None,
        text_sink: TextSink | None = None,
        worker_options: Mapping[str, Any] | None = None,
    ) -> None:
        self._client = client
        self._task_queue = task_queue
        self._agents = _by_type([a for a in activities if isinstance(a, AgentActivities)], "agent_type")
        self._retrievers = _by_type([a for a in activities if isinstance(a, RetrieverActivities)], "label")
        for entry in activities:
            if not isinstance(entry, AgentActivities | RetrieverActivities):
                raise ConfigurationError(
                    f"create_worker takes activities such as OpenAIAgentActivities(...), not a {type(entry).__name__}"
                )
        if not self._agents:
            raise ConfigurationError(
                "a worker needs the activities of at least one provider: create_worker([OpenAIAgentActivities(...)])"
            )
        self._named = NamedAgents(agents, task_queue)
        for name in self._named.names():
            if (kind := self._named.get(name).type) not in self._agents:
                raise ConfigurationError(
                    f"agent {name!r} has type {kind!r}, which this worker does not serve (it serves:"
                    f" {', '.join(sorted(self._agents))}); add that type's activities to create_worker([...])"
                )
        self._mcp = _make_pool(mcp_servers, self._agents) if mcp_servers else None
        catalogs = CatalogDesk(self._mcp)
        for name in self._named.names():
            catalogs.check(self._named.get(name))
        self._text_sink = text_sink
        self._options = dict(worker_options or {})
        if unknown := sorted(self._options.keys() - _WORKER_OPTIONS):
            raise ConfigurationError(
                f"create_worker does not know {', '.join(unknown)}; besides its own arguments it takes those of"
                " temporalio.worker.Worker, except what makes it a worker of sessions"
            )
        self._running: Worker | None = None
        self._check: asyncio.Task[None] | None = None

    def __await__(self) -> Generator[Any, None, Self]:
        yield from ()  # makes this a generator function, which is what `await` wants of an object
        return self

    @property
    def task_queue(self) -> str:
        """The task queue that the worker polls."""
        return self._task_queue

    async def run(self) -> None:
        """Work until cancelled, or until the worker fails."""
        try:
            await self._prepare()
            await self._build().run()
        finally:
            await self._release()

    async def __aenter__(self) -> Self:
        if self._running is not None:
            raise ConfigurationError("this worker is running already; create another one to run two at a time")
        try:
            await self._prepare()
            self._running = self._build()
            await self._running.__aenter__()
        except BaseException:
            self._running = None
            await self._release()
            raise
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        worker, self._running = self._running, None
        try:
            if worker is not None:
                await worker.__aexit__(*exc_info)
        finally:
            await self._release()

    def look_at_mcp(self) -> dict[str, dict[str, Any]]:
        """How the worker's MCP servers are, by name: ``tools`` (how many), and ``problem`` (None if there is none)."""
        return {} if self._mcp is None else self._mcp.look()

    async def close_mcp(self) -> None:
        """End the connections to MCP servers, which a worker does by itself when it stops. Twice is no error."""
        if self._mcp is not None:
            await self._mcp.close()

    async def _prepare(self) -> None:
        self._check = asyncio.create_task(check_retrievers(self._retrievers.values()))
        if self._mcp is None:
            await register_search_attributes(self._client)
        else:
            await asyncio.gather(register_search_attributes(self._client), self._mcp.start())

    def _build(self) -> Worker:
        registries = {name: agent.functions for name, agent in self._agents.items()}
        options: dict[str, Any] = {
            "max_concurrent_activities": MAX_CONCURRENT_ACTIVITIES,
            "sticky_queue_schedule_to_start_timeout": STICKY_TIMEOUT,
            "max_heartbeat_throttle_interval": HEARTBEAT_THROTTLE,
            "default_heartbeat_throttle_interval": HEARTBEAT_THROTTLE,
            "graceful_shutdown_timeout": GRACEFUL_SHUTDOWN,
            "workflow_runner": build_workflow_runner(),
        }
        if "tuner" in self._options:
            # It says how many there are.
            del options["max_concurrent_activities"]
        if not self._options.keys() & {"build_id", "deployment_config"}:
            options["build_id"] = build_id()
        retrieval = RetrievalActivity(self._retrievers)
        scheduled = ScheduledTurnActivities(self._client)
        model = ModelActivity(self._agents, self._text_sink, self._named, self._mcp, retrieval.look_up)
        deployment = self._options.get("deployment_config")
        is_versioned = deployment is not None and deployment.use_worker_versioning
        turns = VersionedScheduledTurnWorkflow if is_versioned else ScheduledTurnWorkflow
        interceptors = [QuietCancellation(), *self._options.get("interceptors", ())]
        return Worker(
            self._client,
            task_queue=self._task_queue,
            workflows=[OrchestratorWorkflow, turns],
            activities=[
                model.call_model,
                ToolActivity(registries).call_tool,
                MCPToolActivity(self._mcp).call_mcp_tool,
                retrieval.retrieve,
                SummaryActivity(self._agents).summarise,
                DescribeActivity(self._named, self._mcp).describe_agents,
                scheduled.deliver_task,
                scheduled.fetch_reply,
            ],
            **(options | self._options | {"interceptors": interceptors}),
        )

    async def _release(self) -> None:
        if self._check is not None:
            self._check.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._check
        await self.close_mcp()
        for agent in self._agents.values():
            await agent.close()
        for retriever in self._retrievers.values():
            await retriever.close()


def _make_pool(servers: Mapping[str, MCPServerConfig], agents: Mapping[str, AgentActivities]) -> MCPPool:
    for name, config in servers.items():
        if not isinstance(config, MCPServerConfig):
            raise ConfigurationError(f"MCP server {name!r} is a {type(config).__name__}; give an MCPServerConfig")
    try:
        # Here, and not when a worker without MCP servers starts: importing the SDK takes half a second.
        from rojak.mcp.pool import MCPPool
    except ImportError as error:
        raise MissingExtraError("MCP servers need the mcp package: pip install 'rojak[mcp]'") from error
    return MCPPool(servers, {name for agent in agents.values() for name in agent.functions})


def _by_type(entries: Sequence[T], attribute: str) -> dict[str, T]:
    found: dict[str, T] = {}
    for entry in entries:
        name = getattr(entry, attribute)
        if name in found:
            remedy = "put all functions into one of them (all_functions=[...])"
            if attribute == "label":
                remedy = "give one of them a name=, and the agents' retrievers too"
            raise ConfigurationError(f"two activities serve the type {name!r}; {remedy}")
        found[name] = entry
    return found


def build_id() -> str:
    """What a worker says it is in each event, unless the user versions workers: the version of Rojak.

    The SDK would hash the code of every module that is imported. That takes half a second at each start, and its 32
    characters stand eleven times in the history of a short run.
    """
    try:
        return importlib.metadata.version("rojak")
    except importlib.metadata.PackageNotFoundError:
        return "rojak"


async def register_search_attributes(client: Client) -> None:
    """Make the search attributes known to the namespace. Where that is not allowed, sessions go without."""
    keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    wanted = {key.name: keyword for key in (AGENT_ATTRIBUTE, STATUS_ATTRIBUTE)}
    try:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=wanted),
            timeout=timedelta(seconds=5),
        )
    except RPCError as error:
        # Already there is an answer too; a managed namespace has its own way to add them.
        logger.debug("search attributes were not added: %s", error.status.name)
