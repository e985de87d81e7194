"""The MCP servers of a worker, and the tools that they have for its sessions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, cast

from mcp_types import RequestParamsMeta

from rojak.mcp.arguments import ArgumentsError, check_arguments
from rojak.mcp.listing import describe_tools
from rojak.mcp.results import read_result
from rojak.mcp.server import MCPServer
from rojak.mcp.transports import quieten_sdk
from rojak.session.limits import CATALOG_BYTES, size_of
from rojak.types.activities import MCPToolRequest, ToolFailed, ToolReturned
from rojak.types.catalog import CatalogTool, ToolCatalog
from rojak.types.errors import ConfigurationError
from rojak.types.mcp import MCPServerConfig

logger = logging.getLogger(__name__)

#: Seconds that a worker's start waits for servers, to find tools of the same name. It starts without those that
#: take longer.
START_PATIENCE = 5.0
#: Field of a request's ``_meta`` with a key that all attempts of one call have, and no other call.
IDEMPOTENCY_KEY = "rojak.dev/idempotency-key"


class MCPPool:
    """A worker's MCP servers, from `start` to `close`; it may be started again.

    Args:
        configs: the servers by name.
        function_names: of the worker's registered functions, which their tools must not be confused with.
    """

    def __init__(self, configs: Mapping[str, MCPServerConfig], function_names: Collection[str] = ()) -> None:
        quieten_sdk()
        self._servers = {name: MCPServer(name, config) for name, config in configs.items()}
        self._functions = frozenset(function_names)
        #: Which server a name belongs to, for as long as the process lives: the first that had it.
        self._owners: dict[str, str] = {}
        self._told: set[str] = set()
        self._running = False
        self._built: tuple[list[int], ToolCatalog] | None = None

    @property
    def server_names(self) -> Collection[str]:
        """The servers, whether they are up or not."""
        return self._servers.keys()

    @property
    def servers_up(self) -> Collection[str]:
        """Those that are connected now."""
        return [name for name, server in self._servers.items() if server.state == "up"]

    def look(self) -> dict[str, dict[str, Any]]:
        """Each server's number of tools, None before it listed any, and its problem, if it has one."""
        return {
            name: {"tools": None if server.tools is None else len(server.tools), "problem": server.problem}
            for name, server in self._servers.items()
        }

    async def start(self) -> None:
        """Connect to all servers at once. One that is down is none of the worker's business.

        Raises:
            ConfigurationError: two servers, or a server and a function, have a tool of the same name.
        """
        if self._running:
            return
        self._running = True
        for server in self._servers.values():
            server.start()
        await asyncio.gather(*(server.settle(START_PATIENCE) for server in self._servers.values()))
        if collisions := self._own_names():
            await self.close()
            raise ConfigurationError("; ".join(collisions))

    async def close(self) -> None:
        """End all connections, and the processes that were started for them."""
        self._running = False
        await asyncio.gather(*(server.close() for server in self._servers.values()))

    async def list_tools(self, fetch_known: Callable[[], Awaitable[ToolCatalog | None]]) -> ToolCatalog:
        """The tools as they are now. A server that was not seen yet has those that the session knows of it."""
        servers = self._servers.values()
        await asyncio.gather(*(server.refresh() for server in servers))
        if all(server.tools is not None for server in servers):
            versions = [server.version for server in servers]
            if self._built is None or self._built[0] != versions:
                self._built = versions, self._build({})
            return self._built[1]
        known = await fetch_known()
        carried: dict[str, list[CatalogTool]] = {}
        for tool in known.tools if known else []:
            carried.setdefault(tool.server, []).append(tool)
        return self._build(carried)

    async def call(self, request: MCPToolRequest, idempotency_key: str) -> ToolReturned | ToolFailed:
        """Make a call.

        Raises:
            MCPServerError: the server is down, was lost, or did not answer in time.
        """
        server = self._servers.get(request.server)
        if server is None:
            logger.warning("a call of MCP server %r came to a worker that does not have it", request.server)
            known = ", ".join(self._servers)
            message = f"There is no MCP server {request.server!r} any more. Servers: {known}."
            return ToolFailed(error_type="ConfigurationError", message=message)
        tool = next((tool for tool in server.tools or [] if tool.name == request.tool), None)
        if tool is None and server.tools is not None:
            message = f"The MCP server {request.server!r} does not have the tool {request.tool!r} any more."
            return ToolFailed(error_type="UnknownFunctionError", message=message)
        try:
            arguments = check_arguments(request.name, tool.input_schema if tool else {}, request.arguments)
        except ArgumentsError as error:
            return error.outcome()
        timeout = min(request.timeout_in_seconds, server.config.timeout)
        meta = cast("RequestParamsMeta", {IDEMPOTENCY_KEY: idempotency_key})
        return read_result(await server.call(request.tool, arguments, timeout=timeout, meta=meta))

    def _own_names(self) -> list[str]:
        """Give each name to the first server that has it.

        Returns:
            A complaint for each tool whose name another one has.
        """
        complaints = []
        for server in self._servers.values():
            for tool in describe_tools(server.name, server.config, server.tools or []):
                owner = self._owners.setdefault(tool.name, server.name)
                if tool.name in self._functions:
                    other = f"and a registered function have a tool named {tool.name!r}"
                elif owner != server.name:
                    other = f"and MCP server {owner!r} have a tool named {tool.name!r}"
                else:
                    continue
                complaints.append(
                    f"MCP server {server.name!r} {other}; tell them apart with prefix=..., or leave one out with"
                    " exclude=[...], in the MCPServerConfig"
                )
        return complaints

    def _build(self, carried: Mapping[str, list[CatalogTool]]) -> ToolCatalog:
        for complaint in self._own_names():
            self._tell(logging.ERROR, f"{complaint}. Until then the one that came later is not offered")
        tools: list[CatalogTool] = []
        names = set(self._functions)
        room = CATALOG_BYTES
        for server in self._servers.values():
            left_out = 0
            found = (
                carried.get(server.name, [])
                if server.tools is None
                else [
                    tool
                    for tool in describe_tools(server.name, server.config, server.tools)
                    if self._owners.get(tool.name) == server.name
                ]
            )
            for tool in found:
                if tool.name in names:
                    continue
                size = size_of(tool) + 1
                if size > room:
                    left_out += 1
                    continue
                room -= size
                names.add(tool.name)
                tools.append(tool)
            if left_out:
                self._tell(
                    logging.WARNING,
                    f"MCP server {server.name!r}: {left_out} of its {len(found)} tools are left out, because the tools"
                    f" of all servers have more than {CATALOG_BYTES} bytes. Choose with include=[...] or exclude=[...]"
                    " of its MCPServerConfig",
                )
        return ToolCatalog.of(tools)

    def _tell(self, level: int, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            logger.log(level, text)
