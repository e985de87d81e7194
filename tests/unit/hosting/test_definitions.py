"""What a manifest says of an agent's tools is what its sessions get."""

from __future__ import annotations

from typing import Any

from rojak.hosting.definitions import Definition
from rojak.hosting.functions import FunctionSource
from rojak.manifests.agent import AgentSpec
from rojak.types import AgentTool, HandOffTool
from rojak.types.retriever import RetrieverTool
from rojak.workerconfig.model import AgentEntry, FunctionsEntry


def define(*tools: dict[str, Any], **spec: Any) -> Definition:
    wire = {"instructions": "x", "model": {"provider": "openai", "name": "m"}, "tools": list(tools), **spec}
    entry = AgentEntry(name="triage", task_queue="shop.triage", spec=AgentSpec.model_validate(wire))
    return Definition(entry, "shop", FunctionSource(FunctionsEntry()))


def test_knowledge_with_a_description_is_a_tool_and_without_one_is_asked_each_time() -> None:
    agent = define(
        {"retriever": {"qdrant": {"url": "http://a", "collection": "manuals"}}},
        {"retriever": {"qdrant": {"url": "http://a", "collection": "Terms"}, "description": "Terms.", "timeout": "2s"}},
    ).agent
    assert agent.retriever is not None
    assert (agent.retriever.name, agent.retriever.timeout_in_seconds) == (None, 4)
    (tool,) = agent.tools
    assert isinstance(tool, RetrieverTool)
    assert (tool.name, tool.retriever.name, tool.retriever.timeout_in_seconds) == ("search_terms", "search_terms", 2)


def test_another_agent_is_a_tool_on_its_own_task_queue() -> None:
    ask = {"agentRef": {"name": "lawyer"}, "description": "Knows the law.", "shareContext": True, "timeout": "1h"}
    (tool, hand_off) = define(
        {"agent": ask}, handoffs=[{"agentRef": {"name": "orders"}, "description": "Sells."}]
    ).agent.tools
    assert isinstance(tool, AgentTool)
    assert (tool.name, tool.share_context, tool.timeout_in_seconds) == ("ask_lawyer", True, 3600)
    assert isinstance(hand_off, HandOffTool)
    assert (hand_off.name, hand_off.agent.task_queue) == ("transfer_to_orders", "shop.orders")


def test_a_history_is_cut_or_summed_up() -> None:
    assert define(history={"size": 4}).agent.limits.history_size == 4
    compaction = define(history={"compaction": {"triggerTokens": 5000, "keepLast": 3}}).agent.limits.compaction
    assert compaction is not None
    assert (compaction.trigger_tokens, compaction.keep_last, compaction.model) == (5000, 3, None)
