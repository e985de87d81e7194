"""Asks MCP servers for their tools, away from the work queue: a server that hangs holds up nobody.

What was found is kept until the next time; an operator that starts anew has what the status says. To import this takes
seconds of a busy machine and 20 MiB, so that it is done when the first server is to be asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fnmatch import fnmatchcase
from typing import Any, Final

import anyio
import httpx2
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import Tool

from mcp import Client
from rojak_operator.desired.reasons import Reason
from rojak_operator.discovered import Discovered, Endpoint

logger = logging.getLogger(__name__)

#: Tools that the status shows, and characters of a description.
_SHOWN: Final = 100
_DESCRIPTION: Final = 256
#: Pages of tools that are read. A server that has more has no end.
_PAGES: Final = 50
#: How much of a foreign text is told.
_MESSAGE: Final = 300


class _UnreadableAuthorityError(Exception):
    """What the manifest names as authority is no certificate."""


async def discover(
    endpoint: Endpoint, *, include: list[str] | None = None, exclude: list[str] | None = None
) -> Discovered:
    """Connect, list the tools, hang up; never raises, and never takes much longer than the time-out."""
    try:
        async with asyncio.timeout(endpoint.timeout):
            return await _ask(endpoint, include, exclude or [])
    except TimeoutError:
        return Discovered(
            Reason.DISCOVERY_TIMED_OUT, f"the server did not list its tools within {endpoint.timeout:g} s"
        )
    # Transports raise what their libraries raise, in groups of groups.
    except Exception as error:  # noqa: BLE001 - whatever it is, the server was not reached
        return _failure(error, endpoint)


async def _ask(endpoint: Endpoint, include: list[str] | None, exclude: list[str]) -> Discovered:
    async with _transport(endpoint) as transport, Client(transport, cache=None) as client:
        tools: list[Tool] = []
        cursor: str | None = None
        if client.server_capabilities.tools is not None:
            for _ in range(_PAGES):
                page = await client.list_tools(cursor=cursor)
                tools += page.tools
                cursor = page.next_cursor
                if cursor is None:
                    break
        info = client.server_info
        server: dict[str, Any] = {"protocolVersion": client.protocol_version}
        if info is not None:
            server |= {"name": info.name, "version": info.version}
        chosen = [tool for tool in tools if _is_wanted(tool.name, include, exclude)]
        return Discovered(
            Reason.REACHABLE,
            f"the server lists {len(chosen)} tools",
            {**tools_status(chosen), "server": {name: value for name, value in server.items() if value}},
        )


def tools_status(tools: list[Tool]) -> dict[str, Any]:
    """What the status says of tools."""
    unique = list({tool.name: tool for tool in tools}.values())
    whole = [tool.model_dump(mode="json", exclude_none=True) for tool in sorted(unique, key=lambda tool: tool.name)]
    digest = hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:16]
    return {
        "toolCount": len(unique),
        "tools": [_shown(tool) for tool in unique[:_SHOWN]],
        "truncated": len(unique) > _SHOWN or None,
        "toolsHash": digest,
    }


def _shown(tool: Tool) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": tool.name}
    if tool.description:
        shown["description"] = tool.description[:_DESCRIPTION]
    if tool.annotations is not None:
        hints = {
            "readOnly": tool.annotations.read_only_hint,
            "destructive": tool.annotations.destructive_hint,
            "idempotent": tool.annotations.idempotent_hint,
            "openWorld": tool.annotations.open_world_hint,
        }
        if said := {name: hint for name, hint in hints.items() if hint is not None}:
            shown["hints"] = said
    return shown


def _is_wanted(name: str, include: list[str] | None, exclude: list[str]) -> bool:
    if include is not None and not any(fnmatchcase(name, pattern) for pattern in include):
        return False
    return not any(fnmatchcase(name, pattern) for pattern in exclude)


@asynccontextmanager
async def _transport(endpoint: Endpoint) -> AsyncIterator[Any]:
    if endpoint.transport == "SSE":

        def make_client(*_: Any, **__: Any) -> httpx2.AsyncClient:
            return _http_client(endpoint)

        async with sse_client(endpoint.url, httpx_client_factory=make_client) as streams:
            yield _Given(streams)
    else:
        async with (
            _http_client(endpoint) as client,
            streamable_http_client(endpoint.url, http_client=client) as streams,
        ):
            yield _Given(streams)


class _Given:
    """Streams that are open already, as a transport."""

    def __init__(self, streams: Any) -> None:
        self._streams = streams

    async def __aenter__(self) -> Any:
        return self._streams

    async def __aexit__(self, *exc_info: object) -> None:
        return None


def _http_client(endpoint: Endpoint) -> httpx2.AsyncClient:
    verify: ssl.SSLContext | bool = endpoint.verify
    if endpoint.ca is not None and endpoint.verify:
        try:
            verify = ssl.create_default_context(cadata=endpoint.ca)
        except (ssl.SSLError, ValueError):
            raise _UnreadableAuthorityError from None
    return httpx2.AsyncClient(
        headers=dict(endpoint.headers), timeout=httpx2.Timeout(endpoint.timeout), verify=verify, trust_env=False
    )


def _failure(error: BaseException, endpoint: Endpoint) -> Discovered:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        message = (
            f"the server answered with HTTP status {status}: give it a header that it accepts, or switch discovery off"
        )
        return Discovered(Reason.DISCOVERY_UNAUTHORIZED, message)
    if isinstance(status, int):
        return Discovered(Reason.DISCOVERY_FAILED, f"the server answered with HTTP status {status}")
    if isinstance(error, TimeoutError | httpx2.TimeoutException):
        return Discovered(Reason.DISCOVERY_TIMED_OUT, f"the server did not answer within {endpoint.timeout:g} s")
    if isinstance(error, _UnreadableAuthorityError):
        message = "what spec.remote.tls.caCert refers to holds no certificate in PEM; put that of the authority there"
        return Discovered(Reason.DISCOVERY_FAILED, message)
    text = str(error) or type(error).__name__
    if isinstance(error, httpx2.ConnectError):
        text = _tls_problem(text, endpoint) or f"nothing answers there ({text})"
    elif isinstance(error, anyio.ClosedResourceError | anyio.EndOfStream):
        text = "it ended the connection"
    for secret in [*endpoint.headers.values(), endpoint.url]:
        if len(secret) >= 4:
            text = text.replace(secret, "***")
    return Discovered(Reason.DISCOVERY_FAILED, text[:_MESSAGE])


def _tls_problem(text: str, endpoint: Endpoint) -> str | None:
    """What is wrong with the encryption and what to do, of what OpenSSL said; None if it is something else."""
    if "WRONG_VERSION_NUMBER" in text or "RECORD_LAYER_FAILURE" in text:
        return "it does not speak TLS there; write http:// in spec.remote.url, or the port at which it does"
    if "CERTIFICATE_VERIFY_FAILED" not in text:
        return None
    why = text.rpartition("certificate verify failed: ")[2].partition(" (_ssl.c")[0]
    if "expired" in why or "not yet valid" in why:
        return f"its certificate is not valid now ({why}); renew it at the server"
    if "mismatch" in why:
        return f"its certificate has another name ({why}); write one that it has in spec.remote.url"
    if endpoint.ca is None:
        return (
            f"its certificate is not trusted ({why}); refer to the certificate of the authority that signed it in"
            " spec.remote.tls.caCert, by secretKeyRef or configMapKeyRef"
        )
    return f"its certificate is not trusted ({why}): spec.remote.tls.caCert is not the authority that signed it"
