"""The model server: a process of its own that answers as `bench.script` says and costs next to nothing.

It shares the machine's cores with what is measured, and a real provider does not. Hence not the scripted server of
`rojak.testing`, which matches rules, records requests and validates them: that costs several times as much a request.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys

from bench.script import answer, render


class Model:
    """Serves POST of chat completions, and GET /hung/<word>, which waits until ``hang <word>`` was asked."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._hung: dict[str, asyncio.Event] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                method, path, _ = head.split(" ", 2)
                length = int(head.partition("content-length:")[2].partition("\r\n")[0] or 0)
                body = await reader.readexactly(length)
                if method == "get":
                    await self._event(path.rpartition("/")[2]).wait()
                    content = b"{}"
                else:
                    content = await self._complete(body)
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(content)
                    + content
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def _event(self, word: str) -> asyncio.Event:
        return self._hung.setdefault(word, asyncio.Event())

    async def _complete(self, body: bytes) -> bytes:
        found = answer(json.loads(body)["messages"])
        if found.hang is not None and not self._event(found.hang).is_set():
            self._event(found.hang).set()
            await asyncio.Event().wait()
        if found.delay:
            await asyncio.sleep(found.delay)
        return render(found, next(self._numbers), len(body))


async def main() -> None:
    model = Model()
    # The limit is that of a line or head; bodies have none.
    server = await asyncio.start_server(model.serve, "127.0.0.1", 0, limit=1 << 20, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    # The parent holds the other end of the pipe: when it goes, however it goes, so does this process.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
