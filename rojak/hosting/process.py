"""A worker process from its start to its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING

from rojak.hosting.connection import connect
from rojak.hosting.http import make_app, serving
from rojak.hosting.pool import Pool, look_at_servers, run_workers
from rojak.hosting.readiness import Readiness
from rojak.hosting.secrets import Secrets
from rojak.telemetry.prometheus import MetricsRuntime
from rojak.telemetry.spans import OTLP_ENDPOINTS
from rojak.types.errors import ConfigurationError
from rojak.workerconfig.model import WorkerConfig
from rojak.workflows.contracts import WORKER_IDENTITY
from rojak.workflows.tracing import use_tracer

if TYPE_CHECKING:
    from rojak.telemetry.tracing import Tracing

logger = logging.getLogger(__name__)

#: What a process exits with when it was told twice to stop.
EXIT_AT_ONCE = 130


async def run_worker_process(config: WorkerConfig, environ: Mapping[str, str] = os.environ) -> None:
    """Serve the agents of the configuration until SIGTERM or SIGINT, and then end in good order.

    Raises:
        ConfigurationError: something that the configuration names is not there, or Temporal cannot be reached.
    """
    # Before anything else: what is wrong with functions and Secrets is known without any connection.
    secrets = Secrets(config.secrets, environ)
    pool = Pool(config, secrets)
    metrics = MetricsRuntime()
    tracing = _start_tracing(config.name, environ)
    client = await connect(config.temporal, secrets, identity=worker_identity(config.name), runtime=metrics.runtime)
    workers = pool.build_workers(client, interceptors=[] if tracing is None else [tracing.interceptor()])
    readiness = Readiness(client, pool.task_queues)
    app = make_app(readiness, metrics.read, lambda: {"mcpServers": look_at_servers(workers)})
    async with serving(app, config.http.host, config.http.port) as port, _in_background(readiness):
        logger.info(
            "pool %s serves %s at Temporal namespace %r; health, readiness and metrics at port %d",
            config.name,
            ", ".join(repr(entry.name) for entry in config.agents) or "no agents",
            client.namespace,
            port,
        )
        with _stop_signals(readiness, config.graceful_shutdown) as stop:
            try:
                await run_workers(workers, stop)
            except* ConfigurationError as group:
                raise group.exceptions[0] from None
    if tracing is not None:
        # What is left is sent, which may take as long as the exporter's time limit.
        await asyncio.to_thread(tracing.stop)
    logger.info("stopped")


def _start_tracing(pool: str, environ: Mapping[str, str]) -> Tracing | None:
    """Trace if there is an endpoint."""
    if not any(environ.get(name) for name in OTLP_ENDPOINTS):
        return None
    # Here, because it takes time to import, and most have no use for it.
    from rojak.telemetry.tracing import Tracing, wants_tracing

    if not wants_tracing(environ):
        return None
    tracing = Tracing(f"rojak-worker-{pool}")
    use_tracer(tracing)
    logger.info("traces are sent to the OTLP endpoint")
    return tracing


def worker_identity(pool: str) -> str:
    """By which Temporal, and readiness, know the process."""
    return f"{WORKER_IDENTITY}{pool}/{os.getpid()}@{socket.gethostname()}"


@contextlib.asynccontextmanager
async def _in_background(readiness: Readiness) -> AsyncIterator[None]:
    task = asyncio.create_task(readiness.watch())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@contextlib.contextmanager
def _stop_signals(readiness: Readiness, grace: str) -> Iterator[asyncio.Event]:
    """Gives what is set when the process is told to stop. Told twice, it exits at once."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def handle() -> None:
        if stop.is_set():
            logger.warning("told to stop again: exiting at once; what was in progress is done by another worker")
            logging.shutdown()
            os._exit(EXIT_AT_ONCE)
        logger.info("told to stop: no new work, up to %s for what is in progress", grace)
        readiness.drain()
        stop.set()

    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, handle)
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
