"""Agents that a session knows by name: when their definitions come from their workers, and how long they are kept.

A definition is asked for with the first model call that an agent makes in a turn, and comes with its reply. So a
change of an agent reaches a session between turns, and costs no call of its own. A pinned definition is asked for once.
"""

from __future__ import annotations

from rojak.session.limits import CONTEXT_BYTES, DEFINITIONS_BYTES, size_of
from rojak.session.state import SessionState
from rojak.session.task import Settings
from rojak.session.turn import Turn
from rojak.types.activities import ToolFailed, ToolReturned
from rojak.types.agent import Agent, AgentRef
from rojak.types.handoff import HandOffTool


def enter_agent(state: SessionState, agent: Agent) -> Agent:
    """Who goes on when ``agent`` is to: where it is a name, the definition that the session has, if it has one."""
    if not isinstance(agent, AgentRef):
        return agent
    key = _key(state, agent)
    if state.agent is not None and state.agent.revision is not None and _key(state, state.agent) == key:
        return state.agent
    return state.definitions.get(key, agent)


def keep_definition(state: SessionState, agent: Agent | None) -> None:
    """Remember the definition of an agent that others take over from; those unused for longest make room."""
    if agent is None or agent.revision is None:
        return
    key = _key(state, agent)
    state.definitions.pop(key, None)
    state.definitions[key] = agent
    while len(state.definitions) > 1 and sum(map(size_of, state.definitions.values())) > DEFINITIONS_BYTES:
        del state.definitions[next(iter(state.definitions))]


def drop_definitions(state: SessionState) -> None:
    """A turn begins: only what is pinned stays as it was."""
    state.definitions = {key: agent for key, agent in state.definitions.items() if agent.pinned}


def wants_refresh(agent: Agent | None) -> bool:
    """Whether the first model call of a turn is to bring the agent's current definition."""
    return isinstance(agent, AgentRef) or (agent is not None and agent.revision is not None and not agent.pinned)


def take_definition(state: SessionState, turn: Turn, definition: Agent) -> bool:
    """The active agent is from now on what its worker says.

    Returns:
        False when its context variables do not fit into the session beside those that are there.
    """
    if state.agent is not None and state.agent.task_queue is None:
        # It answered on the session's own queue, of whose name a workflow has no word that is the same in a replay.
        state.task_queue = definition.task_queue
    state.agent = definition
    if turn.step == 0:
        settings = effective_settings(state.settings, definition)
        turn.max_turns = settings.max_turns
        turn.max_tool_calls = settings.max_tool_calls
        turn.max_tokens_total = settings.max_tokens_total
        turn.run_timeout = settings.run_timeout
    if definition.context_variables:
        state.context_variables = {**definition.context_variables, **state.context_variables}
        return size_of(state.context_variables) <= CONTEXT_BYTES
    return True


def effective_settings(settings: Settings, agent: Agent | None) -> Settings:
    """The session's settings; the agent's where nobody set them for the session."""
    if agent is None or agent.limits is None:
        return settings
    limits = agent.limits
    own = {name: getattr(limits, name) for name in limits.model_fields_set - settings.model_fields_set}
    return settings.model_copy(update=own)


def hand_over(agent: Agent, tool_name: str) -> ToolReturned | ToolFailed:
    """The outcome of a call that hands over: there is nothing to call."""
    tool = agent.find_tool(tool_name)
    if not isinstance(tool, HandOffTool):
        return ToolFailed(error_type="UnknownFunctionError", message=f"There is no function {tool_name!r}.")
    return ToolReturned(output=f"Transferred to {tool.agent.name}.", agent=tool.agent)


def as_seen_outside(agent: Agent | None) -> Agent | None:
    """The agent as callers get it: those that came by name are given back by name, and go on by name."""
    if agent is None or agent.revision is None:
        return agent
    return AgentRef(agent.name, task_queue=agent.task_queue) if agent.task_queue else AgentRef(agent.name)


def _key(state: SessionState, agent: Agent) -> str:
    return f"{agent.task_queue or state.task_queue or ''}/{agent.name}"
