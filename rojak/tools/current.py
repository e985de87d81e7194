"""Which call a function is being run for, so that a function that must not act twice can tell a repeated
call.

A tool call is an activity, and an activity runs at least once: a worker that dies after the payment and
before the report leaves no trace of the payment. `current_call().idempotency_key` is the same in every
attempt of a call and in no other call; give it to the payment provider, or keep it beside what was done.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CallInfo:
    """One attempt of one tool call.

    Attributes:
        session_id: id of the session, as passed to `Rojak.run`.
        agent_name: whose call it is.
        turn: number of the turn in the session, counted from 1.
        call_id: the model's id of the call.
        attempt: counted from 1; more than 1 when an earlier attempt was lost, failed or took too long.
    """

    session_id: str
    agent_name: str
    turn: int
    call_id: str
    attempt: int = 1

    @property
    def idempotency_key(self) -> str:
        """``session/turn/call``: the same in all attempts of this call, and in no other call."""
        return f"{self.session_id}/{self.turn}/{self.call_id}"


_current: ContextVar[CallInfo] = ContextVar("rojak_current_call")


@contextmanager
def calling(info: CallInfo) -> Iterator[None]:
    """What runs inside, in this task and in threads it starts through Rojak, is part of the call ``info``."""
    token = _current.set(info)
    try:
        yield
    finally:
        _current.reset(token)


def current_call() -> CallInfo:
    """The call that the running function serves; for functions, sync or async.

    Raises:
        RuntimeError: no tool call is being made.
    """
    try:
        return _current.get()
    except LookupError:
        raise RuntimeError(
            "current_call() was used outside a tool call; it works in functions that an agent calls, and in"
            " what they call in the same task or thread"
        ) from None
