"""Which list of tools a model call offers, and when the session is told of another one."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from rojak.agents import OpenAIAgent
from rojak.agents.catalogs import CatalogDesk, FetchCatalog
from rojak.types.activities import ContextWindow, ModelRequest
from rojak.types.catalog import CatalogTool, ToolCatalog
from rojak.types.errors import ConfigurationError

ONE = ToolCatalog.of([CatalogTool(name="one", server="s", tool="one")])
TWO = ToolCatalog.of([CatalogTool(name="two", server="s", tool="two")])
EMPTY = ToolCatalog.of([])
AGENT = OpenAIAgent()


class Source:
    """Servers whose tools a test sets."""

    def __init__(self, catalog: ToolCatalog) -> None:
        self.catalog = catalog
        self.asked = 0
        self.is_up = True

    @property
    def server_names(self) -> Collection[str]:
        return ["s"]

    @property
    def servers_up(self) -> Collection[str]:
        return ["s"] if self.is_up else []

    async def list_tools(self, fetch_known: FetchCatalog) -> ToolCatalog:
        self.asked += 1
        return self.catalog


class Session:
    """Counts what is asked of it."""

    def __init__(self, catalog: ToolCatalog | None = None) -> None:
        self.catalog = catalog
        self.asked = 0

    async def fetch(self) -> ToolCatalog | None:
        self.asked += 1
        return self.catalog


def request(catalog: ToolCatalog | None = None, *, first: bool = True) -> ModelRequest:
    fields = {} if catalog is None else {"catalog": catalog.digest, "list_tools": first}
    return ModelRequest(window=ContextWindow(start=0, end=0), **fields)


async def test_a_worker_without_servers_does_nothing() -> None:
    session = Session()
    assert await CatalogDesk(None).find(AGENT, request(), session.fetch) == (None, None)
    assert session.asked == 0


async def test_a_session_is_told_of_tools_once() -> None:
    desk, session = CatalogDesk(Source(ONE)), Session()
    assert await desk.find(AGENT, request(), session.fetch) == (ONE, ONE)
    assert await desk.find(AGENT, request(ONE), session.fetch) == (ONE, None)
    assert session.asked == 0


async def test_within_a_turn_the_sessions_list_counts() -> None:
    source, session = Source(ONE), Session(ONE)
    desk = CatalogDesk(source)
    await desk.find(AGENT, request(), session.fetch)
    source.catalog = TWO
    assert await desk.find(AGENT, request(ONE, first=False), session.fetch) == (ONE, None)
    assert await desk.find(AGENT, request(ONE), session.fetch) == (TWO, TWO)
    assert source.asked == 2


async def test_a_worker_that_does_not_know_a_list_asks_the_session_once() -> None:
    desk, session = CatalogDesk(Source(TWO)), Session(ONE)
    for _ in range(2):
        assert await desk.find(AGENT, request(ONE, first=False), session.fetch) == (ONE, None)
    assert session.asked == 1


async def test_a_worker_without_servers_takes_the_tools_away() -> None:
    assert await CatalogDesk(None).find(AGENT, request(ONE), Session(ONE).fetch) == (EMPTY, EMPTY)


async def test_servers_that_have_no_tools_are_no_news() -> None:
    assert await CatalogDesk(Source(EMPTY)).find(AGENT, request(), Session().fetch) == (EMPTY, None)


async def test_an_agent_without_servers_leaves_the_list_alone() -> None:
    source = Source(TWO)
    agent = OpenAIAgent(mcp_servers=[])
    assert await CatalogDesk(source).find(agent, request(ONE), Session(ONE).fetch) == (None, None)
    assert source.asked == 0


async def test_an_unknown_server_is_refused() -> None:
    agent = OpenAIAgent(mcp_servers=["t"])
    with pytest.raises(ConfigurationError, match=r"'t', which this worker does not have \(it has: s\)"):
        await CatalogDesk(Source(ONE)).find(agent, request(), Session().fetch)
    with pytest.raises(ConfigurationError, match="it has: none"):
        CatalogDesk(None).check(agent)


def test_a_server_is_known_that_is_up_and_that_the_session_has_seen() -> None:
    source = Source(ONE)
    desk = CatalogDesk(source)
    assert list(desk.unsure_of(AGENT, ONE)) == []
    assert list(desk.unsure_of(AGENT, EMPTY)) == ["s"]
    assert list(desk.unsure_of(AGENT, None)) == ["s"]
    assert list(desk.unsure_of(OpenAIAgent(mcp_servers=[]), None)) == []
    source.is_up = False
    assert list(desk.unsure_of(AGENT, ONE)) == ["s"]
    assert list(CatalogDesk(None).unsure_of(AGENT, None)) == []
