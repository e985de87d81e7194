"""One worker serves two providers, and a conversation goes from one to the other and back."""

from __future__ import annotations

from rojak import Rojak
from rojak.agents import (
    Agent,
    AnthropicAgent,
    AnthropicAgentActivities,
    AnthropicAgentOptions,
    OpenAIAgent,
    OpenAIAgentActivities,
    OpenAIAgentOptions,
)
from rojak.testing import ModelServer
from tests.integration.session.conftest import answer, task


def add(context_variables: dict[str, int]) -> str:
    """Add one."""
    context_variables["sum"] = context_variables.get("sum", 0) + 1
    return f"sum is {context_variables['sum']}"


def to_anthropic() -> Agent:
    """Hand over."""
    return AnthropicAgent(name="Claude", instructions="You are C.", functions=["add", "to_openai"])


def to_openai() -> Agent:
    """Hand over."""
    return OpenAIAgent(name="GPT", instructions="You are G.", functions=["add", "to_anthropic"])


async def test_a_conversation_goes_from_one_provider_to_the_other_and_back(
    rojak: Rojak, model: ModelServer, session_id: str
) -> None:
    functions = [add, to_anthropic, to_openai]
    worker = rojak.create_worker(
        [
            OpenAIAgentActivities(OpenAIAgentOptions(api_key="k", base_url=model.base_url, all_functions=functions)),
            AnthropicAgentActivities(
                AnthropicAgentOptions(api_key="k", base_url=model.anthropic_base_url, all_functions=functions)
            ),
        ]
    )
    script = task(
        "call add", "call to_anthropic", "call add; add", "call to_openai", "call add", "echo", agent=to_openai()
    )
    async with worker:
        response = await rojak.run(id=session_id, type="persistent", task=script)
        assert answer(response.result).endswith("sum is 3")
        assert [r.conversation.provider for r in model.requests] == [
            "openai",
            "openai",
            "anthropic",
            "anthropic",
            "openai",
            "openai",
        ]
        response = await rojak.run(id=session_id, type="persistent", task=task("instructions", agent=None))
        assert answer(response.result) == "You are G."
