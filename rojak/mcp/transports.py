"""The transports of all kinds of servers, behind one front that tells when the connection has ended."""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import anyio
import httpx2
from mcp.client._transport import ReadStream, TransportStreams
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCResponse

from rojak.mcp.errors import MCPServerError
from rojak.mcp.stdio import ChildReport, stdio_transport
from rojak.types.mcp import MCPServerConfig

#: Bytes of one event of a server's HTTP stream.
MAX_EVENT = 16 * 1024 * 1024


@asynccontextmanager
async def open_transport(
    name: str,
    config: MCPServerConfig,
    report: ChildReport,
    on_end: Callable[[], None],
    drop_tool: Callable[[Any], bool],
) -> AsyncIterator[TransportStreams]:
    """Connect to a server.

    Args:
        name: of the server, for logs.
        config: how to reach it.
        report: takes what is known of a child process.
        on_end: called when the server has ended the connection.
        drop_tool: whether a tool in a list, as the server wrote it, is none. The SDK refuses a list with one bad
            tool as a whole.
    """
    async with _open(name, config, report) as (read, write):
        yield _Watched(read, on_end, drop_tool), write


@asynccontextmanager
async def _open(name: str, config: MCPServerConfig, report: ChildReport) -> AsyncIterator[TransportStreams]:
    match config.type:
        case "stdio":
            async with stdio_transport(name, config, report) as streams:
                yield streams
        case "sse":

            def make_client(*_: Any, **__: Any) -> httpx2.AsyncClient:
                return _http_client(config)

            async with sse_client(config.url or "", httpx_client_factory=make_client) as streams:
                yield streams
        case "streamable-http":
            async with (
                _http_client(config) as client,
                streamable_http_client(config.url or "", http_client=client, max_sse_event_size=MAX_EVENT) as streams,
            ):
                yield streams


def _http_client(config: MCPServerConfig) -> httpx2.AsyncClient:
    """No limit for reading, since calls have their own, and none for parallel calls, since the worker has one."""
    return httpx2.AsyncClient(
        verify=_trust(config),
        headers=config.headers,
        timeout=httpx2.Timeout(config.timeout, read=None),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=32),
    )


def _trust(config: MCPServerConfig) -> ssl.SSLContext | bool:
    """Whom to trust. Without verification a certificate of an authority is of no use."""
    if not config.verify or config.ca_cert is None:
        return config.verify
    try:
        return ssl.create_default_context(cadata=config.ca_cert)
    except (ssl.SSLError, ValueError):
        raise MCPServerError("ConfigurationError", "its ca_cert cannot be read; give certificates in PEM") from None


class _Watched:
    """A read stream that tells of its end, and sorts out tools that are none."""

    def __init__(
        self,
        stream: ReadStream[SessionMessage | Exception],
        on_end: Callable[[], None],
        drop_tool: Callable[[Any], bool],
    ) -> None:
        self._stream = stream
        self._on_end = on_end
        self._drop_tool = drop_tool

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def receive(self) -> SessionMessage | Exception:
        try:
            item = await self._stream.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
            self._on_end()
            raise
        if isinstance(item, SessionMessage) and isinstance(item.message, JSONRPCResponse):
            tools = item.message.result.get("tools")
            if isinstance(tools, list):
                item.message.result["tools"] = [tool for tool in tools if not self._drop_tool(tool)]
        return item

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> bool | None:
        return await self._stream.__aexit__(exc_type, exc_val, exc_tb)


class _WithoutTraceback(logging.Filter):
    """Tracebacks in the SDK's log quote what servers sent, which is users' content."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.exc_info = record.exc_text = None
        return True


def quieten_sdk() -> None:
    """Keep content out of what the SDK logs about messages and connections that fail."""
    for name in ("mcp.client.streamable_http", "mcp.client.sse", "mcp.shared.jsonrpc_dispatcher", "client"):
        sdk_logger = logging.getLogger(name)
        if not any(isinstance(known, _WithoutTraceback) for known in sdk_logger.filters):
            sdk_logger.addFilter(_WithoutTraceback())
