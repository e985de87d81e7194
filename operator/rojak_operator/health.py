"""Health, readiness and metrics of the operator, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from rojak_operator.metrics import Metrics


class HealthServer:
    """Serves ``/healthz``, ``/readyz`` and ``/metrics`` while an ``async with`` block runs.

    Args:
        problems: asked for what is wrong, in words without names; the operator is restarted if there is anything.
        is_ready: whether this replica does its part, be it as the leader or waiting to be.
        port: 0 takes a free one; see `port`.
    """

    def __init__(
        self,
        metrics: Metrics,
        *,
        problems: Callable[[], list[str]],
        is_ready: Callable[[], bool],
        before_metrics: Callable[[], None],
        port: int,
        host: str = "0.0.0.0",
    ) -> None:
        self._metrics = metrics
        self._problems = problems
        self._is_ready = is_ready
        self._before_metrics = before_metrics
        self._host, self.port = host, port
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._show_metrics)
        self._runner = web.AppRunner(app, access_log=None)

    async def __aenter__(self) -> HealthServer:
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        await self._runner.cleanup()

    async def _healthz(self, request: web.Request) -> web.Response:
        problems = self._problems()
        return web.Response(text="\n".join(problems) or "ok", status=500 if problems else 200)

    async def _readyz(self, request: web.Request) -> web.Response:
        return web.Response(text="ok") if self._is_ready() else web.Response(text="starting", status=503)

    async def _show_metrics(self, request: web.Request) -> web.Response:
        self._before_metrics()
        return web.Response(body=self._metrics.render(), content_type="text/plain", charset="utf-8")
