"""What people type that has a form of its own."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from rojak.cli.errors import CommandError, ExitCode

#: Seconds that an agent whom nobody serves is waited for; one that was scaled to zero needs a while.
WORKER_PATIENCE = 60.0

AgentArgument = Annotated[str, typer.Argument(metavar="AGENT", help="Name of the agent.")]
TaskQueueOption = Annotated[
    str | None,
    typer.Option("--task-queue", help="Where the agent's workers are; <namespace>.<agent> when left out."),
]
WaitForWorkerOption = Annotated[
    float,
    typer.Option("--wait-for-worker", min=0.1, help="Seconds to wait where nobody serves the agent."),
]


def queue_for(agent: str, namespace: str, task_queue: str | None) -> str:
    """Where the agent is served.

    Raises:
        CommandError: it has no name.
    """
    if not agent.strip():
        raise CommandError("the name of the agent is empty", ExitCode.USAGE)
    # As `rojak.manifests.task_queue_of`, which brings all manifests along.
    return task_queue or f"{namespace}.{agent}"


def new_session_id(agent: str) -> str:
    """An id that no other session has, and that says what it is of."""
    return f"{agent}-{secrets.token_hex(4)}"


def check_text(text: str) -> str:
    """What a person wants to say.

    Raises:
        CommandError: nothing, or bytes that are no text.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise CommandError("the message is not valid UTF-8", ExitCode.USAGE) from None
    if not text.strip():
        raise CommandError("the message is empty", ExitCode.USAGE)
    return text


def arguments_object(text: str) -> dict[str, Any]:
    """The arguments of a call from JSON text.

    Raises:
        CommandError: it is no JSON object; says where.
    """
    try:
        value = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise CommandError(
            f"the arguments are no JSON: {error.msg} (line {error.lineno}, column {error.colno})", ExitCode.USAGE
        ) from None
    if not isinstance(value, dict):
        raise CommandError('the arguments have to be a JSON object, for instance {"amount": 3}', ExitCode.USAGE)
    return value


def _refuse(constant: str) -> Any:
    raise CommandError(f"the arguments are no JSON: there is no number {constant} in it", ExitCode.USAGE)


def context_of(pairs: Sequence[str]) -> dict[str, Any]:
    """Context variables from ``name=value``; a value that is JSON is data, anything else is text.

    Raises:
        CommandError: a pair has no name.
    """
    context: dict[str, Any] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise CommandError(f"--context {pair!r} has to be name=value", ExitCode.USAGE)
        try:
            context[name] = json.loads(value)
        except ValueError:
            context[name] = value
    return context
