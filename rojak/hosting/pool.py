"""The workers of a configuration's agents: one for each agent's task queue, all in one process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import PollerBehaviorAutoscaling, WorkerDeploymentConfig

from rojak.agents import AgentActivities
from rojak.hosting.definitions import Definition
from rojak.hosting.functions import FunctionSource
from rojak.hosting.mcp_servers import build_mcp_servers
from rojak.hosting.providers import BrokenProvider, build_provider, build_retrievers
from rojak.hosting.secrets import MissingSecretError, Secrets
from rojak.hosting.slots import CallSlots
from rojak.manifests import seconds_of
from rojak.retrievers import RetrieverActivities
from rojak.types.errors import ConfigurationError
from rojak.types.mcp import MCPServerConfig
from rojak.worker import RojakWorker
from rojak.workerconfig.model import WorkerConfig

logger = logging.getLogger(__name__)

#: Calls that ask Temporal for work, on each queue: few while little happens, more as there is more to do.
POLLERS = PollerBehaviorAutoscaling(minimum=1, maximum=20, initial=2)


class Pool:
    """The agents of a configuration, ready to work.

    Args:
        config: the configuration.
        secrets: the Secrets that it refers to.

    Raises:
        ConfigurationError: an agent cannot work: a function is not there, an extra is not installed, or the only
            agent's Secret is missing. All that is wrong is in the message.
    """

    def __init__(self, config: WorkerConfig, secrets: Secrets) -> None:
        self._config = config
        self._secrets = secrets
        source = FunctionSource(config.functions)
        self._definitions: list[Definition] = []
        problems = []
        for entry in config.agents:
            try:
                self._definitions.append(Definition(entry, config.namespace, source))
            except ConfigurationError as error:
                problems.append(str(error))
        if problems:
            raise ConfigurationError("; ".join(problems))

    @property
    def task_queues(self) -> list[str]:
        """The queues that are polled."""
        return [definition.entry.task_queue for definition in self._definitions]

    def build_workers(self, client: Client, **options: Any) -> list[RojakWorker]:
        """The workers, not started yet.

        Args:
            client: the connection to Temporal.
            options: of every Temporal worker.

        Raises:
            ConfigurationError: an agent cannot work.
        """
        limit, queues = self._config.max_concurrent_calls, self.task_queues
        if limit < len(queues):
            logger.warning(
                "maxConcurrentCalls is %d, and there are %d agents: each makes one call at a time, as it could not work"
                " otherwise",
                limit,
                len(queues),
            )
        slots = CallSlots(limit, queues) if len(queues) > 1 else None
        return [self._build_worker(definition, client, slots, options) for definition in self._definitions]

    def _build_worker(
        self, definition: Definition, client: Client, slots: CallSlots | None, options: dict[str, Any]
    ) -> RojakWorker:
        # Temporal counts for each worker; a single one needs nobody else to do so.
        limit: dict[str, Any] = {"max_concurrent_activities": self._config.max_concurrent_calls}
        if slots is not None:
            limit = {"tuner": slots.tuner(definition.entry.task_queue)}
        return RojakWorker(
            client,
            definition.entry.task_queue,
            [self._provider(definition), *self._retrievers(definition)],
            mcp_servers=self._mcp_servers(definition),
            agents=[definition.agent],
            worker_options={
                **limit,
                "graceful_shutdown_timeout": timedelta(seconds=seconds_of(self._config.graceful_shutdown)),
                "workflow_task_poller_behavior": POLLERS,
                "activity_task_poller_behavior": POLLERS,
                **self._version(),
                **options,
            },
        )

    def _version(self) -> dict[str, Any]:
        """Sessions stay on the version that they began with; they move between turns (`rojak.workflows.versions`)."""
        version = self._config.versioning
        if version is None:
            return {}
        return {
            "deployment_config": WorkerDeploymentConfig(
                version=WorkerDeploymentVersion(version.deployment, version.build_id),
                use_worker_versioning=True,
                default_versioning_behavior=VersioningBehavior.PINNED,
            )
        }

    def _provider(self, definition: Definition) -> AgentActivities:
        """What calls the model. An agent whose Secret is missing does not keep the others of its pool from working."""
        try:
            return build_provider(definition, self._secrets)
        except MissingSecretError as error:
            if len(self._definitions) == 1:
                raise
            logger.error("%s; its runs fail, the other agents of the pool work", error)
            return BrokenProvider(definition, str(error))

    def _retrievers(self, definition: Definition) -> list[RetrieverActivities]:
        """What asks the agent's stores. A look-up that fails is no failure of a run, and nor is its Secret."""
        try:
            return build_retrievers(definition, self._secrets)
        except MissingSecretError as error:
            logger.error("%s; it works without what it would look up", error)
            return []

    def _mcp_servers(self, definition: Definition) -> dict[str, MCPServerConfig]:
        entries = {entry.name: entry for entry in self._config.mcp_servers}
        entry = definition.entry
        return build_mcp_servers(f"Agent {entry.name!r}", entry.spec, entries, self._secrets)


def look_at_servers(workers: Iterable[RojakWorker]) -> dict[str, dict[str, Any]]:
    """How the MCP servers are, by name, as the agent sees each that is offered most of its tools."""
    found: dict[str, dict[str, Any]] = {}
    for worker in workers:
        for name, seen in worker.look_at_mcp().items():
            # An agent that names a server twice knows it by two names.
            server = name.partition("#")[0]
            if server not in found or (seen["tools"] or 0) > (found[server]["tools"] or 0):
                found[server] = seen
    return found


async def run_workers(workers: Sequence[RojakWorker], stop: asyncio.Event) -> None:
    """Work until ``stop`` is set, then end in good order: no new work, and what has begun has its grace period.

    Raises:
        Exception: a worker failed; the others were stopped.
    """
    async with asyncio.TaskGroup() as group:
        for worker in workers:
            group.create_task(_run_worker(worker, stop))
        if not workers:
            await stop.wait()


async def _run_worker(worker: RojakWorker, stop: asyncio.Event) -> None:
    async with worker:
        await stop.wait()
