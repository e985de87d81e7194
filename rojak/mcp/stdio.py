"""A server as a child process that speaks over its standard streams.

The SDK has a transport for this too. It leaves a server's own children behind when the server has exited, does
not notice that a server has died while one of its children holds the pipes, and logs what a server writes that is
no message. Here the child leads a process group, and nothing of the group outlives the connection.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import mcp_types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client._transport import TransportStreams
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

from rojak.types.mcp import MCPServerConfig

logger = logging.getLogger(__name__)

#: Bytes of one message. A server that writes more without a line break is broken.
MAX_LINE = 64 * 1024 * 1024
#: Seconds that a server has to exit after its standard input was closed, and again after SIGTERM.
EXIT_PATIENCE = 2.0
TERMINATE_PATIENCE = 2.0
#: Seconds that its own children have once it has exited.
ORPHANS_PATIENCE = 0.5
#: Seconds to read what a server wrote before it exited, while a child of it holds the pipe open.
_DRAIN_SECONDS = 0.5
_POLL_SECONDS = 0.02
#: Lines of standard error that are kept to explain why a server did not start.
_KEPT_LINES = 5

#: Groups that are alive. An interpreter that exits without closing connections takes them along.
_groups: set[int] = set()
_owner = os.getpid()


class ChildReport:
    """What is worth telling of a child that failed."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self.foreign_lines = 0
        self.exit_code: int | None = None

    def describe(self, *, with_words: bool) -> str:
        """In a sentence, or empty. ``with_words``: with what it wrote last, which may be users' content."""
        told = []
        if self.exit_code is not None:
            told.append(f"it exited with status {self.exit_code}")
        if self.foreign_lines:
            told.append(f"it wrote {self.foreign_lines} lines to its standard output that are no MCP messages")
        if self.lines and with_words:
            told.append(f"its last words were: {self.lines[-1]}")
        return "; ".join(told)


class _Child(asyncio.subprocess.SubprocessStreamProtocol):
    """Knows when the process has exited, which closed pipes do not tell."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=MAX_LINE, loop=loop)
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        """Called by the event loop."""
        self.exited.set()
        super().process_exited()


@asynccontextmanager
async def stdio_transport(name: str, config: MCPServerConfig, report: ChildReport) -> AsyncIterator[TransportStreams]:
    """Start the server and connect to it; at the end of the block it and its children are gone.

    Raises:
        OSError: the program cannot be started.
    """
    loop = asyncio.get_running_loop()
    transport, child = await loop.subprocess_exec(
        lambda: _Child(loop),
        config.command or "",
        *config.args,
        env=get_default_environment() | (config.env or {}),
        cwd=config.cwd,
        start_new_session=True,
    )
    pid = transport.get_pid()
    _groups.add(pid)
    incoming, read_stream = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write_stream, outgoing = anyio.create_memory_object_stream[SessionMessage](0)
    tasks = [
        asyncio.create_task(_read(name, child, incoming, report)),
        asyncio.create_task(_write(child, outgoing, incoming)),
        asyncio.create_task(_listen(name, child, report)),
    ]
    try:
        yield read_stream, write_stream
    finally:
        for stream in (read_stream, write_stream, incoming, outgoing):
            stream.close()
        # A task of its own, which no cancellation of this one interrupts.
        ending = asyncio.create_task(_end(transport, child, pid, tasks, report))
        cancelled = False
        with anyio.CancelScope(shield=True):
            while not ending.done():
                try:
                    await asyncio.shield(ending)
                except asyncio.CancelledError:
                    cancelled = True
        if cancelled:
            raise asyncio.CancelledError


async def _read(
    name: str,
    child: _Child,
    incoming: MemoryObjectSendStream[SessionMessage | Exception],
    report: ChildReport,
) -> None:
    stdout = child.stdout
    assert stdout is not None

    async def read_lines() -> None:
        while line := await stdout.readline():
            try:
                message = mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False)
            except ValidationError:
                if line.strip():
                    report.foreign_lines += 1
                    if report.foreign_lines == 1:
                        logger.warning(
                            "MCP server %r writes lines to its standard output that are no MCP messages; they are"
                            " ignored. Programs that speak MCP log to standard error",
                            name,
                        )
                continue
            await incoming.send(SessionMessage(message))

    reading = asyncio.create_task(read_lines())
    exiting = asyncio.create_task(child.exited.wait())
    try:
        await asyncio.wait({reading, exiting}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({reading}, timeout=_DRAIN_SECONDS)
    finally:
        exiting.cancel()
        reading.cancel()
        with contextlib.suppress(
            asyncio.CancelledError, ValueError, OSError, anyio.ClosedResourceError, anyio.BrokenResourceError
        ):
            await reading
        # The session learns of the end by this.
        incoming.close()


async def _write(
    child: _Child,
    outgoing: MemoryObjectReceiveStream[SessionMessage],
    incoming: MemoryObjectSendStream[SessionMessage | Exception],
) -> None:
    stdin = child.stdin
    assert stdin is not None
    try:
        async for message in outgoing:
            stdin.write(message.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
            await stdin.drain()
    except (OSError, anyio.ClosedResourceError):
        incoming.close()


async def _listen(name: str, child: _Child, report: ChildReport) -> None:
    """Read standard error, so that the server never waits for somebody to do so."""
    stderr = child.stderr
    assert stderr is not None
    with contextlib.suppress(ValueError, OSError):
        while line := await stderr.readline():
            text = line.decode("utf-8", "replace").rstrip()
            if text:
                report.lines.append(text)
                logger.debug("MCP server %r: %s", name, text)


async def _end(
    transport: asyncio.SubprocessTransport,
    child: _Child,
    pid: int,
    tasks: list[asyncio.Task[None]],
    report: ChildReport,
) -> None:
    """Let the server exit, then make it exit, and its children with it. Every wait is bounded."""
    try:
        if child.stdin is not None:
            child.stdin.close()
        # What it still writes is dropped, so that it does not wait for a reader.
        if not await _wait_until_gone(pid, child, EXIT_PATIENCE, ORPHANS_PATIENCE):
            _signal_group(pid, signal.SIGTERM)
            if not await _wait_until_gone(pid, child, TERMINATE_PATIENCE, TERMINATE_PATIENCE):
                _signal_group(pid, signal.SIGKILL)
                await _wait_until_gone(pid, child, TERMINATE_PATIENCE, ORPHANS_PATIENCE)
        report.exit_code = transport.get_returncode()
    finally:
        _groups.discard(pid)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if not child.exited.is_set():
            _signal_group(pid, signal.SIGKILL)
        with contextlib.suppress(PermissionError):
            transport.close()


async def _wait_until_gone(pid: int, child: _Child, seconds: float, seconds_for_orphans: float) -> bool:
    """Whether the server ends in time, and then whatever it started."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await child.exited.wait()
        async with asyncio.timeout(seconds_for_orphans):
            while _group_lives(pid):  # noqa: ASYNC110 - nobody tells of the end of another's child
                await asyncio.sleep(_POLL_SECONDS)
            return True
    return False


def _group_lives(pid: int) -> bool:
    """Whether anything is left of the group of a server that has exited."""
    if sys.platform == "win32":
        return False
    with contextlib.suppress(ChildProcessError):
        # As the first process of a container this one inherits orphans, and has to bury them.
        while os.waitpid(-pid, os.WNOHANG)[0]:
            pass
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _signal_group(pid: int, number: signal.Signals) -> None:
    """Signal the server and all its descendants. The group has the server's id, also after the server has exited."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            os.kill(pid, signal.SIGTERM)
        else:
            os.killpg(pid, number)


def _end_groups() -> None:
    if os.getpid() == _owner:
        for pid in _groups:
            _signal_group(pid, signal.SIGTERM)


atexit.register(_end_groups)
