"""A connection to an MCP server that is kept, lost and made again, and what the server lists over it.

It knows nothing of who uses it and which tools they take: all agents of a process share it (`rojak.mcp.sharing`).
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import logging
import math
import random
import time
from collections.abc import Callable
from typing import Literal

import anyio
import mcp_types
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp.shared.exceptions import MCPError
from mcp_types import Tool

from mcp import Client
from rojak.mcp.errors import MCPServerError
from rojak.mcp.listing import ToolSieve, list_tools
from rojak.mcp.reasons import explain, redact
from rojak.mcp.stdio import ChildReport
from rojak.mcp.transports import open_transport
from rojak.types.mcp import MCPServerConfig

logger = logging.getLogger(__name__)

#: Seconds between attempts to connect: the first pause, and the longest one.
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 30.0
#: A connection that lived for so long was a good one: after it the pauses begin anew.
GOOD_LIFE = 5.0
#: Seconds for which a list of tools counts as current, unless the server says that it changed.
LIST_TTL = 10.0
#: Seconds that a server has to list its tools, to show that it lives after it left a call unanswered.
PROBE_PATIENCE = 5.0

_INFO = mcp_types.Implementation(name="rojak", version=importlib.metadata.version("rojak"))

State = Literal["connecting", "up", "down"]


class Connection:
    """Keeps a connection to one server from `start` to `close`, on one event loop.

    Args:
        name: of the server, for logs.
        config: how to reach it. Its ``include``, ``exclude`` and ``prefix`` are their business who use the connection.
    """

    def __init__(self, name: str, config: MCPServerConfig) -> None:
        self.name = name
        self.config = config
        #: All that it listed last; None before it listed any.
        self.listed: list[Tool] | None = None
        #: Counts changes of ``listed``.
        self.version = 0
        #: Attempts to connect that have succeeded or failed.
        self.attempts = 0
        #: What was said of its tools, which is said once.
        self.told: set[str] = set()
        self._sieve = ToolSieve(name, config, self.told)
        self._state: State = "down"
        self._reason = ""
        self._client: Client | None = None
        self._task: asyncio.Task[None] | None = None
        self._scope: anyio.CancelScope | None = None
        self._closing = False
        self._changed = asyncio.Event()
        self._trouble = asyncio.Event()
        self._ended = False
        self._stale = False
        self._listed_at = -math.inf
        self._connected_at: float | None = None
        self._refreshing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to connect."""
        self._set_state("connecting")
        self._task = asyncio.create_task(self._serve(), name=f"mcp:{self.name}")

    async def close(self) -> None:
        """End the connection, and the child process if there is one."""
        self._closing = True
        if self._task is None:
            return
        if self._scope is not None:
            self._scope.cancel()
        self._trouble.set()
        self.wake()
        _, late = await asyncio.wait({self._task}, timeout=15)
        for task in (*late, *([self._refreshing] if self._refreshing else [])):
            task.cancel()
        self._set_state("down", "the worker is stopping")

    @property
    def is_over(self) -> bool:
        """Whether it ended and will not be made again."""
        return self._task is None or self._task.done()

    @property
    def is_closing(self) -> bool:
        """Whether it is ending, or has ended, because nobody uses it any more."""
        return self._closing

    @property
    def state(self) -> State:
        """Whether the server is connected."""
        return self._state

    @property
    def problem(self) -> str | None:
        """Why the server cannot be used; None when it can."""
        return None if self._state == "up" else self._reason

    @property
    def client(self) -> Client | None:
        """What makes calls; None while there is no connection."""
        return self._client

    def hurry(self) -> None:
        """Somebody new wants to use it: a server that is down is tried now, and not after the pause."""
        if self._state == "down":
            self._set_state("connecting")

    def doubt(self) -> None:
        """The server may be gone: look."""
        self._trouble.set()

    async def list_again(self, patience: float) -> None:
        """Ask for the tools again if what is known of them may be out of date; wait at most ``patience`` seconds."""
        if self._state == "up" and (self._stale or time.monotonic() - self._listed_at > LIST_TTL):
            if self._refreshing is None or self._refreshing.done():
                self._refreshing = asyncio.create_task(self._list_again())
            await asyncio.wait({self._refreshing}, timeout=patience)

    async def wait_while(self, condition: Callable[[], bool], patience: float) -> None:
        """Wait for a change of the state, or `wake`, until the condition is false; at most ``patience`` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while condition() and not self._closing:
                    await self._changed.wait()

    def wake(self) -> None:
        """Let those who wait look again."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _has_ended(self) -> bool:
        return self._ended

    def _set_state(self, state: State, reason: str = "") -> None:
        self._state, self._reason = state, reason
        self.wake()

    def _end(self) -> None:
        """The server has ended the connection."""
        self._ended = True
        self._trouble.set()

    async def _serve(self) -> None:
        """Connect, again and again."""
        pause = FIRST_PAUSE
        while not self._closing:
            self._set_state("connecting")
            report, reason = ChildReport(), ""
            try:
                await self._connect_once(report)
            except TimeoutError:
                reason = f"it did not answer within {self.config.timeout:g} s"
            # Transports raise what their libraries raise, in groups of groups.
            except Exception as error:  # noqa: BLE001 - whatever it is, the server is down and is tried again
                reason = explain(error, self.config)
            reason = reason or "it ended the connection"
            if self.is_closing:
                break
            was_up = self._connected_at is not None
            if told := report.describe(with_words=not was_up):
                reason = f"{reason} ({redact(told, self.config)})"
            if self._connected_at is not None and time.monotonic() - self._connected_at > GOOD_LIFE:
                pause = FIRST_PAUSE
            delay = 0.0 if was_up and pause == FIRST_PAUSE else pause * random.uniform(0.8, 1.2)
            logger.warning(
                "MCP server %r is down: %s. Its tools answer with errors until it is back; next attempt in %.1f s",
                self.name,
                reason,
                delay,
            )
            self.attempts += 1
            pause = min(pause * 2, LONGEST_PAUSE)
            if delay:
                self._set_state("down", reason)
                await self.wait_while(lambda: self._state == "down", delay)

    async def _connect_once(self, report: ChildReport) -> None:
        """Connect and stay connected until the connection ends."""
        self._ended, self._connected_at = False, None
        self._trouble.clear()
        with anyio.CancelScope() as scope:
            self._scope = scope
            scope.deadline = anyio.current_time() + self.config.timeout
            transport = open_transport(self.name, self.config, report, self._end, self._sieve.refuses)
            # Servers of before 2026 are asked in their own way where the first attempt failed.
            mode = "legacy" if self.attempts % 2 and self.listed is None else "auto"
            async with Client(
                transport, client_info=_INFO, message_handler=self._take_message, cache=None, mode=mode
            ) as client:
                self._take_tools(await self._list(client))
                scope.deadline = math.inf
                self._connected_at = time.monotonic()
                self._client = client
                self.attempts += 1
                logger.info("MCP server %r is connected and lists %d tools", self.name, len(self.listed or []))
                self._set_state("up")
                watching = asyncio.create_task(self._watch_list(client))
                try:
                    await self._stay(client)
                finally:
                    watching.cancel()
                    # Calls that come while the rest is cleared away wait for the next connection.
                    self._client = None
                    self._set_state("connecting")
        self._scope = None
        if scope.cancelled_caught and not self._closing:
            raise TimeoutError

    async def _stay(self, client: Client) -> None:
        """Return when the connection has ended, or when the server shows no life any more."""
        while not self._closing:
            await self._trouble.wait()
            self._trouble.clear()
            if self._ended or self._closing:
                return
            try:
                async with asyncio.timeout(PROBE_PATIENCE):
                    self._take_tools(await self._list(client))
            except (TimeoutError, MCPError) as error:
                raise MCPServerError(
                    "MCPConnectionLostError", "" if self._has_ended() else "it does not answer any more"
                ) from error

    async def _list_again(self) -> None:
        client = self._client
        if client is None:
            return
        try:
            self._take_tools(await self._list(client))
        # It is a task of its own, and what is wrong shows when the connection is looked at.
        except Exception:  # noqa: BLE001
            self.doubt()

    async def _list(self, client: Client) -> list[Tool]:
        self._stale = False
        return await list_tools(client)

    def _take_tools(self, listed: list[Tool]) -> None:
        self._listed_at = time.monotonic()
        if listed != self.listed:
            self.listed = listed
            self.version += 1

    async def _take_message(self, message: object) -> None:
        if isinstance(message, mcp_types.ToolListChangedNotification):
            self._stale = True

    async def _watch_list(self, client: Client) -> None:
        """Hear of changes of the tools where the server tells of them in the way of protocols since 2026."""
        with contextlib.suppress(ListenNotSupportedError, SubscriptionLost, MCPError, TimeoutError, RuntimeError):
            async with client.listen(tools_list_changed=True) as changes:
                async for _ in changes:
                    self._stale = True
