"""What comes into a session from outside: tasks and changes of its settings. Checked first, then applied."""

from __future__ import annotations

from rojak.session.limits import AGENT_BYTES, CONTEXT_BYTES, QUEUE_BYTES, TASK_BYTES, size_of
from rojak.session.mailbox import is_known
from rojak.session.state import SessionState
from rojak.session.task import Settings, Task
from rojak.session.transcript import replace_transcript, trim
from rojak.types.errors import ConfigurationError, PayloadTooLargeError, SessionBusyError, SessionTypeError
from rojak.types.messages import ConversationMessage
from rojak.types.session import SessionConfig, SessionType


def check_task_size(task: Task) -> None:
    """Refuse what no session could carry; a caller checks this before it sends anything.

    Raises:
        PayloadTooLargeError: names the part that is too large, its size and the limit.
    """
    _check_size("the agent", size_of(task.agent) if task.agent else 0, AGENT_BYTES)
    _check_size("context_variables", size_of(task.context_variables), CONTEXT_BYTES)
    _check_size("the task's messages", sum(size_of(m) for m in task.messages), TASK_BYTES)


def _check_size(what: str, size: int, limit: int) -> None:
    if size > limit:
        raise PayloadTooLargeError(
            f"{what}: {size} bytes as JSON, and at most {limit} fit into a durable session;"
            " keep large data in a store and pass a reference to it"
        )


def check_task(state: SessionState, task: Task, session_type: SessionType) -> None:
    """Refuse a task that this session cannot take. Changes nothing.

    Raises:
        SessionTypeError: the session is of another type.
        ConfigurationError: there is no agent to begin with.
        PayloadTooLargeError: the task is too large.
        SessionBusyError: too much waits already.
    """
    if state.type != session_type:
        raise SessionTypeError(
            f"the session is {state.type}, not {session_type}; use type={state.type!r} or another id"
        )
    if is_known(state, task.id):
        return
    if task.agent is None and state.agent is None and not any(queued.agent for queued in state.queue):
        raise ConfigurationError("the first task of a session needs an agent: TaskParams(agent=...)")
    check_task_size(task)
    merged = {**state.context_variables, **task.context_variables}
    _check_size("context_variables, with those the session has", size_of(merged), CONTEXT_BYTES)
    if state.turn is not None or state.queue:
        waiting = sum(size_of(queued) for queued in state.queue) + size_of(task)
        if waiting > QUEUE_BYTES:
            raise SessionBusyError(
                f"{len(state.queue)} tasks wait in this session, and with this one they would be {waiting} bytes"
                f" (at most {QUEUE_BYTES}); send it when some are answered"
            )


def enqueue_task(state: SessionState, task: Task) -> None:
    """Queue the task, once however often it is sent."""
    if not is_known(state, task.id):
        state.queue.append(task)
        state.latest_task = task.id


def check_config(
    state: SessionState, messages: list[ConversationMessage] | None, context: dict[str, object] | None
) -> None:
    """Refuse a change of settings that cannot be made now. Changes nothing.

    Raises:
        SessionBusyError: the conversation is to be replaced in the middle of a turn.
        PayloadTooLargeError: it is too large.
    """
    if messages is not None:
        if state.turn is not None:
            raise SessionBusyError(
                "a turn is in progress; messages can be replaced between turns only (resume or await it first)"
            )
        _check_size("messages", sum(size_of(m) for m in messages), TASK_BYTES)
    if context is not None:
        _check_size("context_variables", size_of(dict(context)), CONTEXT_BYTES)


def apply_config(
    state: SessionState,
    settings: Settings,
    messages: list[ConversationMessage] | None = None,
    context: dict[str, object] | None = None,
) -> None:
    """Change what is given; the rest stays. Limits count from the next turn on, context variables at once."""
    state.settings = state.settings.changed_by(settings)
    if messages is not None:
        replace_transcript(state, messages)
        trim(state)
    if context is not None:
        state.context_variables = dict(context)
        if state.turn is not None:
            state.turn.context_before = dict(context)


def read_config(state: SessionState) -> SessionConfig:
    """The session's settings and what it keeps."""
    return SessionConfig(
        type=state.type,
        messages=state.transcript,
        agent=state.agent,
        context_variables=state.context_variables,
        max_turns=state.settings.max_turns,
        history_size=state.settings.history_size,
        debug=state.settings.debug,
        usage=state.usage,
        max_tool_calls=state.settings.max_tool_calls,
        max_tokens_total=state.settings.max_tokens_total,
        run_timeout=state.settings.run_timeout,
        compaction=state.settings.compaction,
    )
