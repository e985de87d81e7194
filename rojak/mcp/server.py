"""One MCP server as one worker sees it: the tools that it takes, over a connection that others may use too."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, RequestParamsMeta, Tool

from mcp import Client
from rojak.mcp.answers import read_answer
from rojak.mcp.connection import Connection, State
from rojak.mcp.errors import MCPServerError
from rojak.mcp.listing import ToolSieve
from rojak.mcp.sharing import acquire, release
from rojak.types.mcp import MCPServerConfig

logger = logging.getLogger(__name__)

#: Seconds that a turn waits for a server that is being connected to for the first time, or asked for its tools again.
DISCOVERY_PATIENCE = 5.0
REFRESH_PATIENCE = 2.0
#: Seconds that a call waits while a connection is being made.
CONNECT_PATIENCE = 10.0


class MCPServer:
    """A server from `start` to `close`, on one event loop; it may be started again.

    Args:
        name: in the worker's configuration.
        config: how to reach it, and which of its tools to take.
    """

    def __init__(self, name: str, config: MCPServerConfig) -> None:
        self.name = name
        self.config = config
        self._tools: list[Tool] | None = None
        self._version = 0
        self._connection: Connection | None = None
        #: The one of before.
        self._left: Connection | None = None
        self._sieve = ToolSieve(name, config)
        #: What of the connection is known here: the version of its list, and attempts when this one came.
        self._seen = 0
        self._attempts = 0
        self._began = 0.0
        self._idle_reason = "the worker has not started"
        self._calls: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Begin to connect, or join those who use the server already."""
        if self._connection is not None:
            return
        connection = self._connection = acquire(self.name, self.config)
        self._sieve = ToolSieve(self.name, self.config, connection.told)
        self._seen, self._attempts, self._began = 0, connection.attempts, time.monotonic()
        connection.hurry()

    async def close(self) -> None:
        """Use it no more. With its last user the connection ends, and the child process if there is one."""
        connection = self._connection
        if connection is None:
            if self._left is not None and self._left.is_closing:
                await self._left.close()
            return
        self._connection, self._left = None, connection
        self._idle_reason = "the worker is stopping"
        connection.wake()
        for task in self._calls:
            task.cancel()
        await release(connection)

    async def settle(self, patience: float) -> None:
        """Wait until the first attempt to connect has succeeded or failed, at most for ``patience`` seconds."""
        if connection := self._connection:
            await connection.wait_while(lambda: self._is_first_attempt(connection), patience)

    @property
    def tools(self) -> list[Tool] | None:
        """The tools that it listed last, as far as they are wanted and can be used; None before it listed any."""
        self._take_tools()
        return self._tools

    @property
    def version(self) -> int:
        """Counts changes of ``tools``."""
        self._take_tools()
        return self._version

    @property
    def state(self) -> State:
        """Whether the server is connected."""
        return "down" if self._connection is None else self._connection.state

    @property
    def problem(self) -> str | None:
        """Why the server cannot be used; None when it can."""
        return self._idle_reason if self._connection is None else self._connection.problem

    async def refresh(self) -> None:
        """Bring ``tools`` up to date where that takes no longer than a turn can wait."""
        connection = self._connection
        if connection is None:
            return
        if self._is_first_attempt(connection):
            await self.settle(max(0.0, DISCOVERY_PATIENCE - (time.monotonic() - self._began)))
        else:
            await connection.list_again(REFRESH_PATIENCE)

    async def call(
        self, tool: str, arguments: dict[str, Any], *, timeout: float, meta: RequestParamsMeta
    ) -> CallToolResult:
        """Call a tool.

        Args:
            tool: the server's own name for it.
            arguments: as its schema wants them.
            timeout: seconds that it may take, with the time until there is a connection.
            meta: sent along with the request.

        Raises:
            MCPServerError: the server cannot be reached, was lost, took too long, or refused.
        """
        deadline = time.monotonic() + timeout
        connection, client = await self._connected(min(timeout, CONNECT_PATIENCE))
        # A task of its own: what it still has to tell the server when it is given up keeps nobody waiting.
        calling = asyncio.create_task(client.call_tool(tool, arguments, meta=meta))
        self._calls.add(calling)
        calling.add_done_callback(self._forget)
        try:
            await asyncio.wait({calling}, timeout=max(0.0, deadline - time.monotonic()))
        finally:
            is_late = not calling.done()
            if is_late:
                calling.cancel()
        if not is_late:
            if not calling.cancelled() and isinstance(calling.exception(), MCPError):
                connection.doubt()
            return read_answer(self.name, self.config, tool, calling)
        logger.warning("MCP server %r did not answer a call of %r within %g s", self.name, tool, timeout)
        connection.doubt()
        raise MCPServerError("TimeoutError", f"{tool} of the MCP server {self.name!r} timed out after {timeout:g} s.")

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._calls.discard(task)
        if not task.cancelled():
            task.exception()

    async def _connected(self, patience: float) -> tuple[Connection, Client]:
        connection = self._connection
        if connection is not None:
            await connection.wait_while(
                lambda: self._connection is connection and connection.state == "connecting", patience
            )
        if connection is None or connection is not self._connection or connection.client is None:
            reason = "it is still being connected to" if self.state == "connecting" else self.problem
            logger.warning("MCP server %r was called and is down: %s", self.name, reason)
            raise MCPServerError(
                "MCPServerDownError", f"The MCP server {self.name!r} is down. Its tools cannot be used at the moment."
            )
        return connection, connection.client

    def _is_first_attempt(self, connection: Connection) -> bool:
        """Whether the server is being connected to for the first time since this one uses it."""
        return (
            connection is self._connection
            and connection.state == "connecting"
            and connection.attempts == self._attempts
        )

    def _take_tools(self) -> None:
        """Choose from what the server lists, if that is another list than the one of before."""
        connection = self._connection
        if connection is None or connection.listed is None or connection.version == self._seen:
            return
        self._seen = connection.version
        tools = self._sieve.select(connection.listed)
        if tools != self._tools:
            self._tools = tools
            self._version += 1
