"""Whom a session waits for: agents, with where their workers should be."""

from __future__ import annotations

from pydantic import BaseModel

from rojak.session.approvals import waiting_calls
from rojak.session.delegation import find_agent_tool, open_children
from rojak.session.state import SessionState


class Awaited(BaseModel):
    """An agent that has something to do for the session.

    Attributes:
        agent_name: of the agent.
        task_queue: where its workers are; None means where the session's are.
        session_id: the session in which it works, where it was called as a tool.
    """

    agent_name: str
    task_queue: str | None = None
    session_id: str | None = None


def list_awaited(state: SessionState) -> list[Awaited]:
    """The agents that have something to do now. Humans are not among them."""
    turn, agent = state.turn, state.agent
    if turn is None or agent is None:
        return []
    awaited = []
    for pending in open_children(turn):
        tool, delegation = find_agent_tool(agent, pending), pending.delegation
        if tool is not None and delegation is not None:
            entry = Awaited(
                agent_name=tool.agent.name, task_queue=tool.agent.task_queue, session_id=delegation.session_id
            )
            awaited.append(entry)
    if not awaited and not waiting_calls(turn):
        awaited.append(Awaited(agent_name=agent.name, task_queue=agent.task_queue))
    return awaited
