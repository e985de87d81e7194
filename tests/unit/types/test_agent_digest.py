"""A session and its worker call an agent by the same digest, so that it travels once."""

from __future__ import annotations

import pytest

from rojak.agents import AnthropicAgent, Interrupt, OpenAIAgent
from rojak.types import Agent, AgentTool, RetryOptions, RetryPolicy
from rojak.types.activities import ContextWindow, ModelRequest, digest_agent
from rojak.workflows.converter import RojakPayloadConverter

AGENTS: list[Agent] = [
    OpenAIAgent(),
    OpenAIAgent(name="A", functions=["add"], interrupts=[Interrupt("add", timeout_in_seconds=5)]),
    AnthropicAgent(instructions={"type": "function", "name": "instructions"}, tool_choice={"type": "auto"}),
    OpenAIAgent(retry_options=RetryOptions(timeout_in_seconds=9, retry_policy=RetryPolicy(maximum_attempts=2))),
    OpenAIAgent(output_schema={"type": "object", "properties": {"n": {"type": "integer"}}}),
    OpenAIAgent(tools=[AgentTool(OpenAIAgent(name="Inner", functions=["add"]), "Works", share_context=True)]),
    OpenAIAgent(name="ünïcode", instructions="line\nline"),
]


@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.name)
def test_the_digest_survives_the_way_to_the_worker(agent: Agent) -> None:
    converter = RojakPayloadConverter()
    payloads = converter.to_payloads([ModelRequest(window=ContextWindow(end=0), agent=agent)])
    (arrived,) = converter.from_payloads(payloads, [ModelRequest])
    assert digest_agent(arrived.agent) == digest_agent(agent)


def test_other_agents_have_other_digests() -> None:
    assert len({digest_agent(agent) for agent in AGENTS}) == len(AGENTS)
