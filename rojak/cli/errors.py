"""What the command line says when something goes wrong: what is wrong and the remedy, in one line, and an exit code."""

from __future__ import annotations

import os
import sys
from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit code means. Programs rely on these: they stay as they are."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    WAITING_FOR_APPROVAL = 3
    LIMIT_REACHED = 4
    NO_WORKER = 5
    NO_CONNECTION = 6
    TIMED_OUT = 7
    NOT_FOUND = 8
    INTERRUPTED = 130


class CommandError(Exception):
    """A command cannot do what it was asked for. The message says why, and the remedy.

    Args:
        message: for the person.
        code: with which the command exits.
    """

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code


def describe(error: BaseException) -> str:
    """The error for a person."""
    if isinstance(error, CommandError):
        return str(error)
    # Here, not above: it takes pydantic along, which `rojak --help` need not wait for.
    from rojak.types.errors import NoWorkerError, RojakError

    if isinstance(error, NoWorkerError):
        said = str(error).partition(". ")[0]
        return f"{said}. Start one: `rojak dev -f DIR` or `rojak worker --config FILE`; what was asked stays queued"
    if isinstance(error, RojakError):
        return str(error)
    if _is_from_server(error):
        return _describe_answer(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    text = " ".join(str(error).split())
    name = type(error).__name__
    return f"{name}: {text} (this was not expected; rojak --debug ... shows where it comes from)" if text else name


def exit_code_of(error: BaseException) -> ExitCode:
    """The exit code for the error."""
    if isinstance(error, CommandError):
        return error.code
    from rojak.types import errors

    match error:
        case errors.NoWorkerError():
            return ExitCode.NO_WORKER
        case errors.RunTimeoutError():
            return ExitCode.TIMED_OUT
        case errors.SessionNotFoundError() | errors.ResultNotFoundError() | errors.ToolCallNotPendingError():
            return ExitCode.NOT_FOUND
        case _ if _is_from_server(error):
            return ExitCode.NO_CONNECTION
        case _:
            return ExitCode.FAILED


def missing_extra(error: ImportError, extra: str) -> Exception:
    """The error for a package that is not installed; the error as it is, if it is ours that has a mistake."""
    package = (error.name or "").split(".")[0]
    if package in ("", "rojak") or os.environ.get("ROJAK_DEBUG"):
        return error
    return CommandError(f"this command needs the package {package!r}: pip install 'rojak[{extra}]'")


def _is_from_server(error: BaseException) -> bool:
    # A command that never imported the SDK has no errors of it.
    service = sys.modules.get("temporalio.service")
    return service is not None and isinstance(error, service.RPCError)


def _describe_answer(error: BaseException) -> str:
    """What Temporal's server answered, or that it did not."""
    from temporalio.service import RPCError, RPCStatusCode

    assert isinstance(error, RPCError)
    text = " ".join(error.message.split())
    match error.status:
        case RPCStatusCode.UNAVAILABLE | RPCStatusCode.DEADLINE_EXCEEDED | RPCStatusCode.CANCELLED:
            return f"Temporal does not answer ({text}); is it still running?"
        case RPCStatusCode.UNAUTHENTICATED | RPCStatusCode.PERMISSION_DENIED:
            return f"Temporal refuses the login ({text}); see --api-key, --tls-cert-path and --temporal-namespace"
        case RPCStatusCode.NOT_FOUND if "amespace" in text:
            return f"Temporal: {text.rstrip('.')}; name another one with --temporal-namespace or TEMPORAL_NAMESPACE"
        case _:
            return f"Temporal refuses: {text} ({error.status.name})"
