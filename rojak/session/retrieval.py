"""Knowledge for the instructions of one turn: what is asked, and what is kept of the answer."""

from __future__ import annotations

from rojak.session.limits import RETRIEVAL_QUERY_CHARACTERS, RETRIEVALS_BYTES, size_of
from rojak.session.state import SessionState
from rojak.session.turn import Turn
from rojak.types.activities import RetrieveResult
from rojak.types.agent import Agent
from rojak.types.session import Retrieval


def retrieval_query(state: SessionState) -> str:
    """What the retriever is asked: what the user said last."""
    said = next((m.text for m in reversed(state.transcript) if m.role == "user"), "")
    return said[:RETRIEVAL_QUERY_CHARACTERS]


def take_retrieved(state: SessionState, turn: Turn, agent: Agent, result: RetrieveResult) -> None:
    """Keep what was found until the turn, or the agent's part in it, is over; and note for callers that it was."""
    turn.retrieval, turn.retrieved = "done", result.text
    noted = Retrieval(
        index=state.end,
        agent_name=agent.name,
        retriever=agent.retriever.label if agent.retriever else "",
        **result.model_dump(exclude={"text"}, exclude_defaults=True),
    )
    if sum(map(size_of, turn.retrievals)) + size_of(noted) <= RETRIEVALS_BYTES:
        turn.retrievals.append(noted)
