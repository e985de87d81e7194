"""What a worker serves over HTTP: whether it lives, whether it takes work, and its metrics."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from rojak.hosting.readiness import Readiness
from rojak.telemetry.prometheus import CONTENT_TYPE
from rojak.types.errors import ConfigurationError

logger = logging.getLogger(__name__)


def make_app(
    readiness: Readiness, read_metrics: Callable[[], Awaitable[bytes]], look: Callable[[], dict[str, Any]]
) -> Starlette:
    """``/healthz``, ``/readyz``, ``/metrics``, and ``/status``: what ``look`` finds, as JSON."""

    async def healthz(request: Request) -> Response:
        # That this runs says it: the event loop is not stuck.
        return PlainTextResponse("ok\n")

    async def readyz(request: Request) -> Response:
        problem = readiness.problem
        return PlainTextResponse(f"{problem or 'ok'}\n", status_code=200 if problem is None else 503)

    async def metrics(request: Request) -> Response:
        try:
            return Response(await read_metrics(), media_type=CONTENT_TYPE)
        except (OSError, TimeoutError):
            logger.warning("metrics cannot be read", exc_info=True)
            return PlainTextResponse("metrics cannot be read\n", status_code=503)

    async def status(request: Request) -> Response:
        return JSONResponse(look())

    pages = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics, "/status": status}
    return Starlette(routes=[Route(path, page) for path, page in pages.items()])


class _Server(uvicorn.Server):
    """Leaves signals to the worker."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(app: Starlette, host: str, port: int) -> AsyncIterator[int]:
    """Serve the app meanwhile; gives the port.

    Raises:
        ConfigurationError: the port cannot be listened at.
    """
    sock = _listen(host, port)
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=2)
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        yield sock.getsockname()[1]
    finally:
        server.should_exit = True
        await task


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise ConfigurationError(
            f"cannot listen at {host}:{port} ({error.strerror}); another process may, choose another port with --port"
        ) from None
    sock.listen(128)
    return sock
