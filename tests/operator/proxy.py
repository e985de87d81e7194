"""Between the operator and the API server: counts requests, lets watches hang, and tells of each write.

It speaks plain HTTP to the operator, which sends its token as ever.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from dev.kubernetes import KubernetesServer
from dev.kubernetes.pytest_plugin import OPERATOR_ACCOUNT

_HOP = {"transfer-encoding", "content-encoding", "content-length", "connection", "host", "accept-encoding"}


class Proxy:
    """Use it in an ``async with`` block.

    Attributes:
        counts: requests by method; watches are WATCH.
        writes: method and path of each write.
        on_write: called after the API server has done a write and before the operator hears of it.
        takes_writes: whether writes get through; else they are answered with 503. One is done after the other, so
            that no other write gets through between one and what `on_write` decides.
        is_frozen: whether watches bring nothing, though they stay open.
    """

    def __init__(self, server: KubernetesServer) -> None:
        self._server = server
        self.counts: Counter[str] = Counter()
        self.writes: list[str] = []
        self.on_write: Callable[[str], None] = lambda what: None
        self.takes_writes = True
        self.is_frozen = False
        self._writing = asyncio.Lock()
        app = web.Application(client_max_size=16 * 1024**2)
        app.router.add_route("*", "/{path:.*}", self._forward)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        self._session: aiohttp.ClientSession | None = None
        self.port = 0

    async def __aenter__(self) -> Proxy:
        context = ssl.create_default_context(cafile=str(self._server.ca_file))
        connector = aiohttp.TCPConnector(ssl=context, limit=0)
        self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        assert self._session is not None
        await self._runner.cleanup()
        await self._session.close()

    def kubeconfig(self, folder: Path) -> str:
        """For the operator's account, through here."""
        config = json.loads(self._server.kubeconfig_for(*OPERATOR_ACCOUNT).read_text())
        config["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{self.port}"}
        path = folder / "kubeconfig-proxy"
        path.write_text(json.dumps(config))
        return str(path)

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        assert self._session is not None
        watches = request.query.get("watch") == "true"
        self.counts["WATCH" if watches else request.method] += 1
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        body = await request.read()
        url = f"{self._server.url}{request.rel_url}"
        try:
            if request.method in ("GET", "HEAD") or "/events" in request.path:
                return await self._answer(request, watches, headers, body, url)
            async with self._writing:
                if not self.takes_writes:
                    return web.Response(status=503, text="{}")
                return await self._answer(request, watches, headers, body, url)
        except aiohttp.ClientConnectionResetError:
            # The operator has hung up.
            return web.Response(status=499)

    async def _answer(
        self, request: web.Request, watches: bool, headers: dict[str, str], body: bytes, url: str
    ) -> web.StreamResponse:
        assert self._session is not None
        try:
            async with self._session.request(request.method, url, headers=headers, data=body or None) as upstream:
                answer = web.StreamResponse(status=upstream.status)
                for name, value in upstream.headers.items():
                    if name.lower() not in _HOP:
                        answer.headers[name] = value
                if watches:
                    return await self._stream(request, upstream, answer)
                text = await upstream.read()
        except (aiohttp.ClientConnectorError, aiohttp.ServerDisconnectedError):
            return web.Response(status=503, text="{}")
        if request.method not in ("GET", "HEAD") and "/events" not in request.path:
            what = f"{request.method} {request.path}"
            self.writes.append(what)
            self.on_write(what)
        answer.content_length = len(text)
        await answer.prepare(request)
        await answer.write(text)
        return answer

    async def _stream(
        self, request: web.Request, upstream: aiohttp.ClientResponse, answer: web.StreamResponse
    ) -> web.StreamResponse:
        await answer.prepare(request)
        async for chunk in upstream.content.iter_any():
            while self.is_frozen:
                await asyncio.sleep(0.05)
            await answer.write(chunk)
        return answer
