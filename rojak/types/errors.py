"""The errors that a caller of Rojak sees. Each message names the thing and the remedy."""

from __future__ import annotations


class RojakError(Exception):
    """Base of every error that Rojak raises on purpose."""


class ConfigurationError(RojakError, ValueError):
    """Something was set up in a way that cannot work: a missing key, a duplicate function, an unknown agent type."""


class MissingExtraError(ConfigurationError, ImportError):
    """A provider is used whose SDK is not installed; the message says which extra to install."""


class PayloadTooLargeError(RojakError, ValueError):
    """A task or its context variables are larger than a durable session can carry."""


class NoWorkerError(RojakError, TimeoutError):
    """Nobody polls the task queue. What was asked stays queued: it goes on as soon as a worker starts."""


class RunTimeoutError(RojakError, TimeoutError):
    """The caller's own ``timeout`` passed. The run goes on; ``get_result`` fetches its answer later."""


class AgentNotFoundError(RojakError, LookupError):
    """The workers that were asked know no agent of that name."""


class SessionNotFoundError(RojakError, LookupError):
    """There is no session of that id, or it has finished and cannot take what was sent."""


class SessionTypeError(RojakError, ValueError):
    """A live session of that id has another type (persistent, stateless) than the call asks for."""


class SessionBusyError(RojakError):
    """The session is in the middle of a turn and the change can only be made between turns."""


class ResultNotFoundError(RojakError, LookupError):
    """The session knows no such task, or its reply is no longer kept."""


class ToolCallNotPendingError(RojakError, LookupError):
    """A resume names a tool call that waits for no approval: unknown, or already resolved. Nothing was changed."""


class RetrievalError(RojakError):
    """A retriever's store could not be asked this time. The message may be logged: it quotes no text of anybody's."""


class RunFailedError(RojakError):
    """The turn failed; the session is as it was before the turn and stays usable.

    Attributes:
        error_type: name of the cause, the provider's exception class for instance.
        reason: the cause's own text.
        task_id: the task that failed.
    """

    def __init__(self, error_type: str, reason: str, *, task_id: str) -> None:
        super().__init__(f"{error_type}: {reason}")
        self.error_type = error_type
        self.reason = reason
        self.task_id = task_id


class OutputValidationError(RunFailedError):
    """The answer does not fit the agent's ``output_type``, however often the model was told.

    ``reason`` names the field and the rule that it breaks, and quotes nothing of the answer.
    """


class RunCancelledError(RojakError):
    """The session was cancelled before the task was answered."""
