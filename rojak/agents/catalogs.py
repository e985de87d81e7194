"""The tools of MCP servers that a model call offers: the session's, which this worker may renew once a turn.

What a model is offered and what its calls are routed by is one catalog, in the session's state. A worker keeps
catalogs by their digest only so that they need not be sent with each call.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from typing import Protocol

from rojak.types.activities import ModelRequest
from rojak.types.agent import Agent
from rojak.types.catalog import ToolCatalog
from rojak.types.errors import ConfigurationError

#: Catalogs that a worker remembers. There is one for each state of its servers.
MAX_KNOWN_CATALOGS = 64

FetchCatalog = Callable[[], Awaitable[ToolCatalog | None]]


class CatalogSource(Protocol):
    """Knows the tools of a worker's MCP servers."""

    @property
    def server_names(self) -> Collection[str]:
        """The servers, whether they are up or not."""
        ...

    @property
    def servers_up(self) -> Collection[str]:
        """Those that are connected now."""
        ...

    async def list_tools(self, fetch_known: FetchCatalog) -> ToolCatalog:
        """The tools as they are now; never waits for long, and never raises because of a server.

        Args:
            fetch_known: gives the catalog that the session has. A server that cannot be asked keeps its tools in it.
        """
        ...


class CatalogDesk:
    """Finds the catalog of a model call.

    Args:
        source: None for a worker without MCP servers.
    """

    def __init__(self, source: CatalogSource | None) -> None:
        self._source = source
        self._known: OrderedDict[str, ToolCatalog] = OrderedDict()

    async def find(
        self, agent: Agent, request: ModelRequest, fetch: FetchCatalog
    ) -> tuple[ToolCatalog | None, ToolCatalog | None]:
        """The catalog that the call offers, and the one that the session is to have from now on if it is another.

        Args:
            agent: whose call it is.
            request: of the model call.
            fetch: asks the session for its catalog.

        Raises:
            ConfigurationError: the agent names a server that the worker does not have.
        """
        self.check(agent)
        if agent.mcp_servers == []:
            return None, None
        if request.catalog is None:
            if self._source is None:
                return None, None
        elif not request.list_tools:
            return await self._look_up(request.catalog, fetch), None

        async def fetch_known() -> ToolCatalog | None:
            return None if request.catalog is None else await self._look_up(request.catalog, fetch)

        found = ToolCatalog.of([]) if self._source is None else await self._source.list_tools(fetch_known)
        self._remember(found)
        return found, None if found.digest == (request.catalog or "") else found

    def servers_of(self, agent: Agent) -> Collection[str]:
        """The names of the servers whose tools the agent may call, whether they are up or not."""
        known = self._source.server_names if self._source is not None else ()
        return known if agent.mcp_servers is None else agent.mcp_servers

    def unsure_of(self, agent: Agent, catalog: ToolCatalog | None) -> Collection[str]:
        """Those of the agent's servers that may have tools which the catalog lacks: down, or not seen by it."""
        seen = {tool.server for tool in catalog.tools} if catalog is not None else set()
        if self._source is not None:
            seen.intersection_update(self._source.servers_up)
        return [name for name in self.servers_of(agent) if name not in seen]

    def check(self, agent: Agent) -> None:
        """Refuse an agent that names a server that the worker does not have.

        Raises:
            ConfigurationError: it does.
        """
        known = self._source.server_names if self._source is not None else ()
        for name in agent.mcp_servers or []:
            if name not in known:
                raise ConfigurationError(
                    f"agent {agent.name!r} names the MCP server {name!r}, which this worker does not have (it has:"
                    f" {', '.join(known) or 'none'}); add it to create_worker(mcp_servers={{...}})"
                )

    async def _look_up(self, digest: str, fetch: FetchCatalog) -> ToolCatalog | None:
        catalog = self._known.get(digest)
        if catalog is None:
            catalog = await fetch()
            if catalog is None or catalog.digest != digest:
                return catalog
        self._remember(catalog)
        return catalog

    def _remember(self, catalog: ToolCatalog) -> None:
        self._known[catalog.digest] = catalog
        self._known.move_to_end(catalog.digest)
        while len(self._known) > MAX_KNOWN_CATALOGS:
            self._known.popitem(last=False)
