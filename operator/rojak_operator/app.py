"""Puts the operator together: health first, then the Lease, then watches and workers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Awaitable, Callable
from importlib import metadata

from rojak_operator.applier import Applier
from rojak_operator.audit import Audit
from rojak_operator.handlers.context import Context
from rojak_operator.handlers.default_pool import default_pool_key
from rojak_operator.handlers.logins import login_digest
from rojak_operator.handlers.mcp_servers import ask_mcp_server, reconcile_mcp_server
from rojak_operator.handlers.schedules import reconcile_schedule
from rojak_operator.handlers.versions import follow_versions
from rojak_operator.handlers.workers import reconcile_agent, reconcile_pool
from rojak_operator.health import HealthServer
from rojak_operator.kube import ApiError, Kube
from rojak_operator.leader import Leadership
from rojak_operator.metrics import Metrics, count_conditions
from rojak_operator.own_writes import OwnWrites
from rojak_operator.reporter import Reporter
from rojak_operator.resources import KEDA, MANIFESTS, OWNED, REFERENCED, Key, Resource
from rojak_operator.settings import OperatorSettings, describe
from rojak_operator.store import Store, fill_store
from rojak_operator.temporal import Connections
from rojak_operator.watches import KindGoneError, Watches
from rojak_operator.workqueue import Done, Runner

logger = logging.getLogger(__name__)

#: Seconds that a key may wait while workers are free to take it, before the operator counts as stuck.
STUCK_AFTER = 600.0
#: Seconds between questions whether the custom resource definitions are there.
_CRD_INTERVAL = 5.0
#: Seconds between looks whether the cluster has KEDA.
_KEDA_INTERVAL = 60.0
#: Seconds between looks whether the files of the operator's login to Temporal have changed.
_LOGIN_INTERVAL = 5.0

#: MCP servers that are asked at the same time.
DISCOVERERS = 8

Reconcile = Callable[[Context, Key], Awaitable[Done]]

RECONCILERS: dict[str, Reconcile] = {
    "Agent": reconcile_agent,
    "WorkerPool": reconcile_pool,
    "Schedule": reconcile_schedule,
    "MCPServer": reconcile_mcp_server,
}


class Operator:
    """One replica of the operator; `run` returns when ``stop`` is set or the Lease is lost."""

    def __init__(self, settings: OperatorSettings) -> None:
        self.settings = settings
        self.metrics = Metrics(metadata.version("rojak"))
        self.store = Store()
        self.stop = asyncio.Event()
        self.port = settings.port
        self._audit: Audit | None = None
        self._runners: list[Runner] = []
        self._started = False

    def take_signals(self) -> None:
        """Stop in good order at SIGTERM and SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop.set)

    async def run(self) -> bool:
        """Run; whether it ended because it was asked to."""
        logger.info("the operator starts", extra=describe(self.settings))
        async with (
            await Kube.connect(requests_per_second=self.settings.requests_per_second) as kube,
            HealthServer(
                self.metrics,
                problems=self._problems,
                is_ready=lambda: self._started,
                before_metrics=self._count,
                port=self.settings.port,
            ) as health,
        ):
            self.port = health.port
            logger.info("health and metrics are served", extra={"port": health.port})
            if not await self._until_stopped(self._wait_for_definitions(kube)):
                return True
            # Waiting for the lease is all that a second replica has to do.
            self._started = True
            if not self.settings.leader_election:
                return await self._lead(kube)
            leadership = Leadership(
                kube,
                namespace=self.settings.namespace,
                name=self.settings.lease_name,
                identity=self.settings.identity,
                seconds=self.settings.lease_seconds,
            )
            if not await self._until_stopped(leadership.acquire()):
                return True
            return await self._lead(kube, leadership)

    async def _lead(self, kube: Kube, leadership: Leadership | None = None) -> bool:
        self.metrics.leader.set(1)
        ours = asyncio.create_task(self._work(kube))
        held = asyncio.create_task(leadership.hold() if leadership else asyncio.Event().wait())
        stopped = asyncio.create_task(self.stop.wait())
        try:
            done, _ = await asyncio.wait({ours, held, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if ours in done:
                ours.result()  # raises what ended it
            return stopped in done
        finally:
            self.metrics.leader.set(0)
            for task in (stopped, held, ours):
                task.cancel()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(20):
                    await asyncio.gather(ours, held, stopped, return_exceptions=True)
            # A lease that was lost is not ours to release.
            if leadership is not None and held.cancelled():
                await leadership.release()

    async def _work(self, kube: Kube) -> None:
        has_keda = await _serves_keda(kube)
        resources = _resources(has_keda=has_keda)
        await self._fill_store(kube, resources)
        writes = OwnWrites(self.store, lambda key, delay: context.wake(key, delay))
        runner = Runner(
            lambda key: RECONCILERS[key.kind](context, key), workers=self.settings.workers, observer=self.metrics
        )
        context = Context(
            settings=self.settings,
            kube=kube,
            store=self.store,
            applier=Applier(kube, self.store, writes, self.metrics),
            reporter=Reporter(kube, writes),
            writes=writes,
            metrics=self.metrics,
            temporal=Connections(self.metrics, requests_per_second=self.settings.temporal_requests_per_second),
            wake=lambda key, delay: self._wake(schedulers if key.kind == "Schedule" else runner, key, delay),
            ask=lambda key: discoverers.add(key),
            ask_versions=lambda key: followers.add(key),
            has_keda=has_keda,
        )
        # Workers of their own: a Temporal that does not answer holds up schedules and versions, and nothing else.
        schedulers = Runner(
            lambda key: reconcile_schedule(context, key), workers=self.settings.workers, observer=self.metrics
        )
        followers = Runner(lambda key: follow_versions(context, key), workers=self.settings.workers)
        # And here too: a server that hangs keeps one of these busy, and nobody else waiting.
        discoverers = Runner(lambda key: ask_mcp_server(context, key), workers=DISCOVERERS)
        self._runners = [runner, schedulers]
        watches = Watches(
            resources,
            writes=writes,
            heard=lambda name: self.metrics.heard(name, time.time()),
            namespaces=self.settings.watch_namespaces,
            started=self.take_signals,
        )
        self._audit = Audit(
            kube,
            self.store,
            self.metrics,
            forget=writes.forget,
            interval=self.settings.audit,
            namespaces=self.settings.watch_namespaces,
        )
        if (pool := default_pool_key(self.settings)) is not None:
            # Nothing would tell of one that is not there.
            context.wake(pool, 0.0)
        tasks = [
            asyncio.create_task(runner.run()),
            asyncio.create_task(schedulers.run()),
            asyncio.create_task(followers.run()),
            asyncio.create_task(discoverers.run()),
            asyncio.create_task(watches.run(self.stop)),
            asyncio.create_task(self._audit.run(resources)),
            asyncio.create_task(self._watch_for_keda(kube, has_keda)),
            asyncio.create_task(self._watch_own_login(schedulers)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except KindGoneError as error:
            # Its watch ends in the same moment, mostly long before anybody looks.
            logger.warning("%s: the operator starts anew", error)
        finally:
            # What a worker has begun is finished by whoever comes next. kopf is cancelled too: left to end by itself,
            # it waits seconds for every task that began after it, whosesoever it is.
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @staticmethod
    def _wake(runner: Runner, key: Key, delay: float) -> None:
        if key.kind not in RECONCILERS:
            return
        if delay:
            runner.add_after(key, delay)
        else:
            runner.add(key)

    async def _watch_for_keda(self, kube: Kube, had_keda: bool) -> None:
        """End, so that the operator starts anew, when KEDA comes or goes: its kinds are then watched, or not."""
        while True:
            await asyncio.sleep(min(self.settings.resync, _KEDA_INTERVAL))
            with contextlib.suppress(ApiError):
                if await _serves_keda(kube) != had_keda:
                    logger.warning("KEDA was installed or removed: the operator starts anew")
                    return

    async def _watch_own_login(self, schedulers: Runner) -> None:
        """Look at all Schedules when the operator's login to Temporal changes: the one before may have been refused."""
        known = login_digest(self.settings.defaults.temporal)
        while True:
            await asyncio.sleep(_LOGIN_INTERVAL)
            if (now := login_digest(self.settings.defaults.temporal)) != known:
                known = now
                logger.info("the operator's login to Temporal has changed")
                for key in self.store.keys("Schedule"):
                    schedulers.add(key)

    async def _fill_store(self, kube: Kube, resources: list[Resource]) -> None:
        """List all there is. Kinds that were just installed cannot be listed for some seconds."""
        while True:
            try:
                return await fill_store(self.store, kube, resources, self.settings.watch_namespaces)
            except ApiError as error:
                if not error.is_transient:
                    raise
                logger.warning("the operator waits: %s", error)
            await asyncio.sleep(_CRD_INTERVAL)

    async def _wait_for_definitions(self, kube: Kube) -> None:
        told = ""
        while True:
            try:
                missing = [r.plural for r in MANIFESTS if not await kube.serves(r)]
                problem = f"these custom resource definitions are missing: {', '.join(missing)}" if missing else ""
            except ApiError as error:
                problem = str(error)
            if not problem:
                return
            if problem != told:
                logger.warning("the operator waits: %s", problem)
                told = problem
            await asyncio.sleep(_CRD_INTERVAL)

    async def _until_stopped(self, waiting: Awaitable[None]) -> bool:
        """Whether it ended before the operator was asked to stop."""
        task = asyncio.ensure_future(waiting)
        stopped = asyncio.create_task(self.stop.wait())
        try:
            done, _ = await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if task in done:
                task.result()
            return task in done
        finally:
            for waiter in (task, stopped):
                waiter.cancel()
            await asyncio.gather(task, stopped, return_exceptions=True)

    def _problems(self) -> list[str]:
        problems = self._audit.problems() if self._audit else []
        if any(runner.oldest() > STUCK_AFTER for runner in self._runners):
            problems.append("objects wait too long to be reconciled")
        return problems

    def _count(self) -> None:
        self.metrics.queue_depth.set(sum(len(runner.queue) for runner in self._runners))
        statuses = [
            (resource.kind, (self.store.read(key) or {}).get("status", {}).get("conditions") or [])
            for resource in MANIFESTS
            for key in self.store.keys(resource.kind)
        ]
        self.metrics.conditions(count_conditions(statuses))


async def _serves_keda(kube: Kube) -> bool:
    """Whether all of it is there: its kinds come and go one after the other."""
    return all([await kube.serves(resource) for resource in KEDA])


def _resources(*, has_keda: bool) -> list[Resource]:
    return list(dict.fromkeys([*MANIFESTS, *REFERENCED, *OWNED, *(KEDA if has_keda else ())]))


async def run(settings: OperatorSettings) -> int:
    """Run the operator until SIGTERM or SIGINT; its exit code."""
    operator = Operator(settings)
    operator.take_signals()
    asked = await operator.run()
    # Whoever lost the lease must not go on by mistake: a new process begins with nothing.
    return 0 if asked else 1
