"""Who takes part: agents with their tools, and what tools answer."""

from __future__ import annotations

from hypothesis import strategies as st

from rojak.types import (
    Agent,
    AgentTool,
    Interrupt,
    Retriever,
)
from rojak.types.activities import PatchOperation, ToolFailed, ToolReturned
from rojak.types.tools import AnyTool


class PlainAgent(Agent):
    type: str = "plain-test"
    model: str = "m"


class SomeRetriever(Retriever):
    type: str = "some-test"


NAMES = ["free", "asked", "asked_later", "never"]
INTERRUPTS = [
    Interrupt("asked"),
    Interrupt("asked_later", timeout_in_seconds=10, on_timeout="approve"),
    Interrupt("never", timeout_in_seconds=20, on_timeout="fail"),
]
HELPER = PlainAgent(name="helper")
TOOLS: list[AnyTool] = [
    AgentTool(HELPER, "Helps"),
    AgentTool(HELPER, "Helps, in time", name="hasty", timeout_in_seconds=15),
    AgentTool(HELPER, "Helps, when asked", name="asked_helper"),
]
TOOL_NAMES = [tool.name for tool in TOOLS]
INTERRUPTS.append(Interrupt("asked_helper"))
AGENTS = [
    PlainAgent(name="parallel", functions=NAMES, interrupts=INTERRUPTS, tools=TOOLS),
    PlainAgent(name="sequential", functions=NAMES, interrupts=INTERRUPTS, tools=TOOLS, parallel_tool_calls=False),
    PlainAgent(name="reader", functions=["free"], retriever=SomeRetriever()),
]
KEYS = st.sampled_from(["a", "b", "c"])
PATCHES = st.lists(
    st.one_of(
        st.builds(lambda key, value: PatchOperation(path=[key], value=value), KEYS, st.integers(0, 9)),
        st.builds(lambda key: PatchOperation(path=[key], op="delete"), KEYS),
    ),
    max_size=2,
)
OUTCOMES = st.one_of(
    st.builds(
        lambda patch, agent: ToolReturned(output="ok", patch=patch, agent=agent),
        PATCHES,
        st.one_of(st.none(), st.sampled_from(AGENTS)),
    ),
    st.builds(lambda: ToolFailed(error_type="ValueError", message="no")),
)
