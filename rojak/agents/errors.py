"""What a failed call of a provider means: the one place that tells what is worth another attempt."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from rojak.types.errors import RojakError

#: A provider may ask for any pause; a longer one than this is not waited for.
MAX_RETRY_AFTER = timedelta(seconds=60)
#: Statuses besides 5xx with which a provider says: not now.
_RETRYABLE_STATUSES = frozenset({408, 409, 429})
#: Characters of a provider's own text that go into an error.
_MAX_MESSAGE = 2000


class EmptyCompletionError(RojakError):
    """The model answered with neither text nor tool calls."""


class MalformedResponseError(RojakError):
    """The provider's answer has not the form that its protocol promises."""


@dataclass(frozen=True, slots=True)
class ProviderFailure:
    """A failed call.

    Attributes:
        error_type: name of the error, as the caller of the run sees it.
        message: its text.
        retryable: whether another attempt can help.
        retry_after: the pause that the provider asked for, at most `MAX_RETRY_AFTER`.
    """

    error_type: str
    message: str
    retryable: bool
    retry_after: timedelta | None = None


def classify_error(error: Exception, *, secrets: tuple[str, ...] = ()) -> ProviderFailure:
    """Judge an exception that an SDK, or the reading of its answer, raised.

    Works on what the exceptions of both SDKs have in common: a ``response`` with a status and headers where the
    provider answered, and none where the connection failed.

    Args:
        error: what was raised.
        secrets: texts that must not be in the message, such as the API key.
    """
    name, message = type(error).__name__, _message_of(error)
    for secret in secrets:
        message = message.replace(secret, "***")
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if isinstance(status, int) and status >= 400:
        headers = getattr(response, "headers", {})
        return ProviderFailure(name, message, _is_retryable(status, headers), _retry_after(headers))
    if isinstance(error, EmptyCompletionError):
        return ProviderFailure(name, message, retryable=False)
    # Connections that break or take too long, bodies that make no sense, error events in a stream.
    return ProviderFailure(name, message, retryable=_is_transient(error))


def _is_transient(error: Exception) -> bool:
    if isinstance(error, MalformedResponseError | json.JSONDecodeError | OSError | TimeoutError):
        return True
    # httpx's and the SDKs' own errors for connections, time-outs and streams. Anything else is a mistake in how the
    # call was made, which another attempt would repeat.
    module = type(error).__module__.partition(".")[0]
    return module in ("httpx", "httpx2", "httpcore", "httpcore2", "openai", "anthropic")


def _is_retryable(status: int, headers: Mapping[str, str]) -> bool:
    match headers.get("x-should-retry"):
        case "true":
            return True
        case "false":
            return False
        case _:
            return status in _RETRYABLE_STATUSES or status >= 500


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """The pause in ``retry-after-ms`` (milliseconds) or ``retry-after`` (seconds, or a date)."""
    try:
        if value := headers.get("retry-after-ms"):
            pause = timedelta(milliseconds=float(value))
        elif value := headers.get("retry-after"):
            pause = _read_pause(value)
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return min(pause, MAX_RETRY_AFTER) if pause > timedelta() else None


def _read_pause(value: str) -> timedelta:
    try:
        return timedelta(seconds=float(value))
    except ValueError:
        return parsedate_to_datetime(value) - datetime.now(UTC)


def _message_of(error: Exception) -> str:
    """The provider's own words where it said any, else the exception's."""
    body: Any = getattr(error, "body", None)
    if isinstance(body, dict):
        inner = body.get("error", body)
        if isinstance(inner, dict) and isinstance(inner.get("message"), str):
            status = getattr(getattr(error, "response", None), "status_code", None)
            said = f"{inner['message']} (status {status})" if status else inner["message"]
            return str(said)[:_MAX_MESSAGE]
    return (str(error) or type(error).__name__)[:_MAX_MESSAGE]
