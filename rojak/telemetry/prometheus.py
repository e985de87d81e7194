"""Metrics in Prometheus' format: Temporal's, Rojak's own and those of the process, in one text.

All but the process's come from Temporal's runtime, which counts what sessions and calls report without counting it
again in a replay. It serves them on a port of its own, on the loopback interface, and this reads them from there.
"""

from __future__ import annotations

import asyncio
import socket
from datetime import timedelta

from temporalio.runtime import (
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
)

from rojak.telemetry.calls import MODEL_CALL_DURATION, TOOL_CALL_DURATION

#: How often Temporal is told that the worker is there; clients list agents by it.
WORKER_HEARTBEAT = timedelta(seconds=10)
#: Seconds that the runtime has to answer.
READ_TIMEOUT = 5.0
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: Seconds; model calls take from a second to minutes.
CALL_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0)
#: Seconds; runs wait for humans too.
RUN_BUCKETS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)


class MetricsRuntime:
    """A Temporal runtime whose metrics can be read."""

    def __init__(self) -> None:
        self._port = _free_port()
        config = PrometheusConfig(
            bind_address=f"127.0.0.1:{self._port}",
            counters_total_suffix=True,
            unit_suffix=True,
            durations_as_seconds=True,
            histogram_bucket_overrides={
                MODEL_CALL_DURATION: CALL_BUCKETS,
                TOOL_CALL_DURATION: CALL_BUCKETS,
                "rojak_run_duration": RUN_BUCKETS,
            },
        )
        self.runtime = Runtime(telemetry=TelemetryConfig(metrics=config), worker_heartbeat_interval=WORKER_HEARTBEAT)

    async def read(self) -> bytes:
        """All metrics.

        Raises:
            OSError: the runtime does not answer.
        """
        async with asyncio.timeout(READ_TIMEOUT):
            own = await self._fetch()
        return own + process_metrics()

    async def _fetch(self) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
            answer = await reader.read()
        finally:
            writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n", 1)[0] + b" ":
            raise OSError("the Temporal runtime has no metrics")
        return body if body.endswith(b"\n") else body + b"\n"


def process_metrics() -> bytes:
    """Memory, CPU time, open files and version of the process."""
    from prometheus_client import REGISTRY, generate_latest

    return generate_latest(REGISTRY)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
