"""Which tools of MCP servers an agent offers, where their calls go, and which wait for a human."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from rojak.agents import OpenAIAgent
from rojak.session.approvals import hold_for_approval
from rojak.session.limits import OFFERED_TOOLS
from rojak.session.routes import FunctionRoute, MCPRoute, Route
from rojak.session.routing import find_route, offered_names
from rojak.session.state import SessionState
from rojak.session.turn import PendingCall
from rojak.types import FunctionCall, Interrupt, ToolCall
from rojak.types.catalog import CatalogTool, ToolCatalog

READ = CatalogTool(name="files_read", server="files", tool="read", read_only=True, destructive=False)
REMOVE = CatalogTool(name="files_remove", server="files", tool="remove")
SEARCH = CatalogTool(name="search", server="web", tool="search", destructive=False)
STATE = SessionState(catalog=ToolCatalog.of([READ, REMOVE, SEARCH]))


def test_an_agent_offers_the_tools_of_its_servers() -> None:
    assert offered_names(STATE, OpenAIAgent(functions=["add"])) == ["add", "files_read", "files_remove", "search"]
    assert offered_names(STATE, OpenAIAgent(mcp_servers=["web"])) == ["search"]
    assert offered_names(STATE, OpenAIAgent(mcp_servers=[])) == []
    assert offered_names(SessionState(), OpenAIAgent()) == []


def test_a_call_goes_where_its_name_was_offered() -> None:
    agent = OpenAIAgent(functions=["search"])
    assert find_route(STATE, agent, "search") == FunctionRoute()
    assert find_route(STATE, agent, "files_read") == MCPRoute(server="files", tool="read")
    assert find_route(STATE, OpenAIAgent(mcp_servers=["web"]), "files_read") is None


def test_no_more_tools_than_models_take() -> None:
    tools = [CatalogTool(name=f"t{n}", server="many", tool=f"t{n}") for n in range(200)]
    state, agent = SessionState(catalog=ToolCatalog.of(tools)), OpenAIAgent(functions=["add"])
    assert len(offered_names(state, agent)) == OFFERED_TOOLS
    assert find_route(state, agent, "t126") is not None
    assert find_route(state, agent, "t127") is None


def held(agent: OpenAIAgent, name: str) -> PendingCall:
    route: Route | None = find_route(STATE, agent, name)
    assert route is not None
    return hold_for_approval(agent, ToolCall(id="1", function=FunctionCall(name=name)), route, 0.0)


@pytest.mark.parametrize(
    ("interrupts", "waiting"),
    [
        ([], []),
        ([Interrupt("search")], ["search"]),
        ([Interrupt("files_*")], ["files_read", "files_remove"]),
        ([Interrupt("*")], ["files_read", "files_remove", "search"]),
        ([Interrupt(destructive=True)], ["files_remove"]),
    ],
)
def test_interrupts_name_a_tool_a_pattern_or_what_destroys(interrupts: list[Interrupt], waiting: list[str]) -> None:
    agent = OpenAIAgent(interrupts=interrupts)
    assert [name for name in offered_names(STATE, agent) if held(agent, name).waiting] == waiting


def test_the_most_specific_interrupt_counts() -> None:
    asked = {"destructive": Interrupt(destructive=True, question="destructive")}
    asked |= {name: Interrupt(name, question=name) for name in ("*", "files_*", "files_remove")}
    for order in (list(asked), list(reversed(asked))):
        agent = OpenAIAgent(interrupts=[asked[name] for name in order])
        assert held(agent, "files_remove").question == "files_remove"
        assert held(agent, "files_read").question == "files_*"
        assert held(agent, "search").question == "*"
        agent = OpenAIAgent(interrupts=[asked["destructive"], asked["*"]])
        assert held(agent, "files_remove").question == "*"


def test_an_interrupt_says_what_it_stands_for() -> None:
    with pytest.raises(ValidationError, match="names a tool"):
        Interrupt()
    with pytest.raises(ValidationError, match="names a tool"):
        Interrupt("pay", destructive=True)


def test_a_state_with_a_catalog_survives_as_json() -> None:
    state = SessionState(catalog=STATE.catalog)
    state.turn = None
    again = SessionState.model_validate_json(state.model_dump_json(exclude_unset=True))
    assert again.catalog == STATE.catalog
    pending = held(OpenAIAgent(), "files_remove")
    assert PendingCall.model_validate_json(pending.model_dump_json(exclude_unset=True)).route == pending.route
