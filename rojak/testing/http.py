"""The smallest HTTP/1.1 server that can misbehave: close a connection without an answer, or in the middle of one.

Web frameworks take care that neither happens, which is what they are for.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from rojak.types.errors import MissingExtraError

try:
    import h11
except ImportError as missing:
    raise MissingExtraError("the scripted model server needs the h11 package: pip install 'rojak[dev]'") from missing


@dataclass(frozen=True)
class Request:
    """What came. Header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Exchange:
    """One request and the answer to it."""

    def __init__(self, request: Request, connection: h11.Connection, writer: asyncio.StreamWriter) -> None:
        self.request = request
        self._connection = connection
        self._writer = writer

    async def send_json(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        """Answer with JSON."""
        await self.send_body(status, json.dumps(value).encode(), headers)

    async def send_body(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Answer with these bytes as ``application/json``."""
        sent = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
        data = self._connection.send(h11.Response(status_code=status, headers=list(sent.items()))) or b""
        data += self._connection.send(h11.Data(data=body)) or b""
        data += self._connection.send(h11.EndOfMessage()) or b""
        await self._write(data)

    async def start_stream(self) -> None:
        """Begin a stream of events."""
        headers = [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")]
        await self._write(self._connection.send(h11.Response(status_code=200, headers=headers)) or b"")

    async def send_chunk(self, data: bytes) -> None:
        """Go on with it."""
        await self._write(self._connection.send(h11.Data(data=data)) or b"")

    async def end_stream(self) -> None:
        """End it."""
        await self._write(self._connection.send(h11.EndOfMessage()) or b"")

    def abort(self) -> None:
        """Close the connection now, whatever was promised."""
        self._writer.transport.abort()

    async def _write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()


Handler = Callable[[Exchange], Awaitable[None]]


async def serve_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handle: Handler) -> None:
    """Answer the requests of one connection, one after another, until either side closes it."""
    connection = h11.Connection(h11.SERVER)
    try:
        while (request := await _read_request(connection, reader)) is not None:
            await handle(Exchange(request, connection, writer))
            if writer.transport.is_closing() or connection.our_state is h11.MUST_CLOSE:
                return
            connection.start_next_cycle()
    except (ConnectionError, h11.ProtocolError):
        # The client went away in the middle: nobody is left to answer.
        return
    finally:
        writer.close()


async def _read_request(connection: h11.Connection, reader: asyncio.StreamReader) -> Request | None:
    head: h11.Request | None = None
    body = b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            headers = {name.decode().lower(): value.decode("latin-1") for name, value in head.headers}
            return Request(head.method.decode(), head.target.decode(), headers, body)
        else:
            return None
