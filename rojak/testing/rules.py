"""A script: which conversation gets which answer."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Sequence
from typing import Any, Self

from rojak.testing.conversation import Conversation
from rojak.testing.replies import Fault, Pace, Reply

Text = str | re.Pattern[str]
#: What a condition is called, and whether it holds.
Check = tuple[str, Callable[[Conversation], bool]]
Answer = Reply | str | Callable[[Conversation], "Reply | str"]


class ScriptError(Exception):
    """The script itself is wrong: a function of it raised, or a rule says no answer."""


class Gate:
    """Holds requests back until it is opened; from any thread."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._lock = threading.Lock()

    def release(self) -> None:
        """Let everything through, now and from now on."""
        with self._lock:
            self._open.set()
            waiting, self._waiting = self._waiting, []
        for loop, event in waiting:
            loop.call_soon_threadsafe(event.set)

    async def _pass(self) -> None:
        event = asyncio.Event()
        with self._lock:
            if self._open.is_set():
                return
            self._waiting.append((asyncio.get_running_loop(), event))
        await event.wait()


class Rule:
    """When a conversation matches, this happens. Made by `ModelServer.when` and `ModelServer.otherwise`."""

    def __init__(self, description: str, checks: Sequence[Check] = ()) -> None:
        self.description = description
        self._checks = checks
        self._answers: list[Answer | Fault] = []
        self._pace = Pace()
        self._gate: Gate | None = None
        self._limit: int | None = None
        self._used = 0

    def reply(self, *answers: Answer, tool_calls: list[Any] | None = None, usage: Any = None) -> Self:
        """Answer with a text, a `Reply`, or what a function of the `Conversation` returns.

        Several answers are given one after another; the last one is repeated.

        Raises:
            TypeError: something is no answer.
        """
        if tool_calls is not None or usage is not None:
            if len(answers) > 1 or not all(isinstance(answer, str) for answer in answers):
                raise TypeError("tool_calls and usage go with one text; give Reply(...) objects for several answers")
            answers = (Reply(str(answers[0]) if answers else "", tool_calls or [], usage),)
        if not answers:
            raise TypeError("reply() needs an answer: a text, a Reply, a function, or tool_calls=[call(...)]")
        for answer in answers:
            if not isinstance(answer, str | Reply) and not callable(answer):
                raise TypeError(f"a {type(answer).__name__} is no answer; give a text, a Reply or a function")
        self._answers.extend(answers)
        return self

    def error(
        self, status: int, message: str = "scripted error", *, retry_after: float | None = None, **headers: str
    ) -> Self:
        """Answer with an error in the provider's form; ``retry_after`` is in seconds. Headers by name with ``_``."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if retry_after is not None:
            sent["retry-after"] = f"{retry_after:g}"
        self._answers.append(Fault(status=status, message=message, headers=sent))
        return self

    def break_connection(self) -> Self:
        """Close the connection without an answer."""
        self._answers.append(Fault(drop=True))
        return self

    def malformed(self, body: bytes = b'{"choices": [{"index": 0, "mess') -> Self:
        """Answer with status 200 and a body that makes no sense."""
        self._answers.append(Fault(body=body))
        return self

    def slow(self, *, delay: float = 0.0, chunk_delay: float = 0.0) -> Self:
        """Wait before the answer, and between the pieces of a streamed one; in seconds."""
        self._pace = Pace(delay, chunk_delay, self._pace.break_after)
        return self

    def break_stream(self, *, after_chunks: int) -> Self:
        """Break the connection in the middle of a streamed answer."""
        self._pace = Pace(self._pace.delay, self._pace.chunk_delay, after_chunks)
        return self

    def hold(self) -> Gate:
        """Keep requests waiting until the gate that is returned is released."""
        self._gate = Gate()
        return self._gate

    def times(self, limit: int) -> Self:
        """Apply so many times only; then later rules have their turn."""
        self._limit = limit
        return self

    @property
    def used(self) -> int:
        """How often the rule applied."""
        return self._used

    def _take(self, conversation: Conversation) -> bool:
        """Whether the rule applies; if so it counts as used."""
        if self._objection(conversation) is not None:
            return False
        self._used += 1
        return True

    def _objection(self, conversation: Conversation) -> str | None:
        """Why the rule does not apply; None if it does.

        Raises:
            ScriptError: its predicate raised.
        """
        if self._limit is not None and self._used >= self._limit:
            return f"it was used {self._used} of {self._limit} times"
        for name, holds in self._checks:
            try:
                if not holds(conversation):
                    return f"{name} does not hold"
            # It is the test's code and may raise anything.
            except Exception as error:
                problem = f"the {name} of rule {self.description} raised {type(error).__name__}: {error}"
                raise ScriptError(problem) from error
        return None

    async def _decide(self, conversation: Conversation, fallback: Rule | None) -> tuple[Reply | Fault, Pace]:
        """The answer, after the gate. A rule that only holds, slows or breaks leaves the answer to ``fallback``.

        Raises:
            ScriptError: there is none.
        """
        position = self._used - 1
        if self._gate is not None:
            await self._gate._pass()
        answers = self._answers or (fallback._answers if fallback else [])
        if not answers:
            raise ScriptError(f"rule {self.description} says no answer: add .reply(...)")
        answer: Any = answers[min(position, len(answers) - 1)] if self._answers else answers[-1]
        return (answer if isinstance(answer, Fault) else self._make_reply(answer, conversation)), self._pace

    def _make_reply(self, answer: Answer, conversation: Conversation) -> Reply:
        made: Any = answer
        if callable(answer):
            try:
                made = answer(conversation)
            # It is the test's code and may raise anything.
            except Exception as error:
                problem = f"the function that answers for {self.description} raised {type(error).__name__}: {error}"
                raise ScriptError(problem) from error
        if isinstance(made, str):
            return Reply(made)
        if not isinstance(made, Reply):
            raise ScriptError(
                f"the function that answers for {self.description} returned a {type(made).__name__}; it has to return"
                " a text or a Reply"
            )
        return made


def make_rule(
    *,
    last_user: Text | None = None,
    last_tool: Text | None = None,
    last_role: str | None = None,
    system: Text | None = None,
    model: Text | None = None,
    offers: str | None = None,
    predicate: Callable[[Conversation], bool] | None = None,
) -> Rule:
    """A rule that applies where all conditions hold; see `ModelServer.when`.

    Raises:
        TypeError: there is no condition.
    """
    checks: list[Check] = []
    if last_user is not None:
        checks.append((f"last_user={last_user!r}", lambda c: _found(last_user, c.last_text("user"))))
    if last_tool is not None:
        checks.append((f"last_tool={last_tool!r}", lambda c: _found(last_tool, _text_if_last(c, "tool"))))
    if last_role is not None:
        checks.append((f"last_role={last_role!r}", lambda c: c.last is not None and c.last.role == last_role))
    if system is not None:
        checks.append((f"system={system!r}", lambda c: _found(system, c.system)))
    if model is not None:
        checks.append((f"model={model!r}", lambda c: _found(model, c.model)))
    if offers is not None:
        checks.append((f"offers={offers!r}", lambda c: offers in c.tools))
    if predicate is not None:
        checks.append(("predicate", predicate))
    if not checks:
        raise TypeError("when() needs a condition, such as last_user='weather'; otherwise() is for all the rest")
    return Rule(f"when({', '.join(name for name, _ in checks)})", checks)


def _found(wanted: Text, text: str | None) -> bool:
    if text is None:
        return False
    return wanted in text if isinstance(wanted, str) else wanted.search(text) is not None


def _text_if_last(conversation: Conversation, role: str) -> str | None:
    last = conversation.last
    return last.text if last is not None and last.role == role else None
