"""A model server that says what a test tells it to."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from rojak.testing.conversation import Conversation
from rojak.testing.exchanges import read_request, send_fault, send_stream
from rojak.testing.http import Exchange, serve_connection
from rojak.testing.replies import Fault
from rojak.testing.rules import Rule, ScriptError, Text, make_rule
from rojak.testing.wire import anthropic_body, openai_body

_HOST = "127.0.0.1"
_SECRET_HEADERS = ("authorization", "x-api-key", "api-key")


@dataclass(frozen=True)
class RecordedRequest:
    """A request that came: where, with which headers (keys are blotted out), and the conversation in it."""

    path: str
    headers: dict[str, str] = field(repr=False)
    conversation: Conversation


class ModelServer:
    """A real HTTP server on this machine that speaks OpenAI's and Anthropic's protocols and follows a script.

    Use it in a ``with`` or ``async with`` block. It runs in a thread of its own, so that it serves the same process
    and others alike::

        with ModelServer() as model:
            model.when(last_user="weather").reply(tool_calls=[call("get_weather", location="Paris")])
            model.when(last_tool="sunny").reply("It is sunny.")

    Args:
        port: to listen on; any free one when 0.
        record: how many requests are kept in `requests`; older ones are dropped.

    Attributes:
        requests: what came.
        unmatched: what came that no rule is for.
        problems: what was wrong with the script: functions that raised, rules without an answer.
    """

    def __init__(self, port: int = 0, *, record: int = 10_000) -> None:
        self._port = port
        self._record = record
        self._rules: list[Rule] = []
        self._otherwise: Rule | None = None
        self._lock = threading.Lock()
        self._received = 0
        self._waiting: list[tuple[int, concurrent.futures.Future[None]]] = []
        self._loop = asyncio.new_event_loop()
        self._connections: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None
        self.requests: list[RecordedRequest] = []
        self.unmatched: list[RecordedRequest] = []
        self.problems: list[str] = []

    @property
    def url(self) -> str:
        """Of the server itself."""
        return f"http://{_HOST}:{self._port}"

    @property
    def base_url(self) -> str:
        """For clients of OpenAI's protocol."""
        return f"{self.url}/v1"

    @property
    def anthropic_base_url(self) -> str:
        """For clients of Anthropic's protocol, and of Bedrock."""
        return self.url

    def when(
        self,
        *,
        last_user: Text | None = None,
        last_tool: Text | None = None,
        last_role: str | None = None,
        system: Text | None = None,
        model: Text | None = None,
        offers: str | None = None,
        predicate: Callable[[Conversation], bool] | None = None,
    ) -> Rule:
        """A rule for conversations of which all this holds. Rules are tried in the order in which they were made.

        Args:
            last_user: is part of what the user said last; a compiled pattern is searched for.
            last_tool: is part of a tool's result with which the conversation ends.
            last_role: role of the last message.
            system: is part of the instructions.
            model: is part of the model's name.
            offers: a function that is offered to the model.
            predicate: says yes to the conversation.

        Raises:
            TypeError: there is no condition.
        """
        rule = make_rule(
            last_user=last_user,
            last_tool=last_tool,
            last_role=last_role,
            system=system,
            model=model,
            offers=offers,
            predicate=predicate,
        )
        self._rules.append(rule)
        return rule

    def otherwise(self) -> Rule:
        """The rule for conversations that no other rule is for; also answers for rules that say no answer."""
        self._otherwise = Rule("otherwise()")
        return self._otherwise

    def reset(self) -> None:
        """Forget the script and what was asked."""
        self._rules, self._otherwise = [], None
        with self._lock:
            self.requests, self.unmatched, self.problems, self._received = [], [], [], 0

    async def wait_for_requests(self, count: int, timeout: float = 20.0) -> None:
        """Wait until so many requests came in all.

        Raises:
            TimeoutError: fewer came within ``timeout`` seconds; says how many.
        """
        arrived: concurrent.futures.Future[None] = concurrent.futures.Future()
        with self._lock:
            if self._received >= count:
                return
            self._waiting.append((count, arrived))
        try:
            await asyncio.wait_for(asyncio.wrap_future(arrived), timeout)
        except TimeoutError:
            raise TimeoutError(f"{self._received} of {count} requests came within {timeout:g} s") from None

    def assert_all_matched(self) -> None:
        """Fail if a request came that no rule was for, or something was wrong with the script.

        Raises:
            AssertionError: says what came and why no rule was for it.
        """
        if self.problems:
            raise AssertionError(self.problems[0])

    def assert_all_used(self) -> None:
        """Fail if a rule of `when` never had its turn: the conversation did not go as the script expects.

        Raises:
            AssertionError: names the rules.
        """
        if unused := [rule.description for rule in self._rules if not rule.used]:
            raise AssertionError(f"no conversation came for {'; '.join(unused)}")

    def start(self) -> Self:
        """Start to listen; a ``with`` block does it."""
        ready: concurrent.futures.Future[int] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="rojak-model-server", daemon=True)
        self._thread.start()
        self._port = ready.result()
        return self

    def stop(self) -> None:
        """Close every connection and stop."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return self.start()

    async def __aexit__(self, *exc_info: object) -> None:
        await asyncio.to_thread(self.stop)

    def _run(self, ready: concurrent.futures.Future[int]) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            server = self._loop.run_until_complete(asyncio.start_server(self._accept, _HOST, self._port, backlog=512))
        except OSError as error:
            ready.set_exception(error)
            return
        ready.set_result(server.sockets[0].getsockname()[1])
        self._loop.run_forever()
        server.close()
        for task in self._connections:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._connections, return_exceptions=True))
        self._loop.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(serve_connection(reader, writer, self._answer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _answer(self, exchange: Exchange) -> None:
        request = exchange.request
        path = urllib.parse.urlsplit(request.path).path
        if request.method == "GET":
            await self._answer_get(exchange, path)
            return
        conversation = read_request(path, request.body)
        if conversation is None:
            await exchange.send_json(
                404, {"error": {"message": f"nothing is served at {path}, or no JSON", "type": "not_found"}}
            )
            return
        headers = {name: "***" if name in _SECRET_HEADERS else value for name, value in request.headers.items()}
        try:
            rule = self._note(RecordedRequest(path, headers, conversation))
            answer, pace = await rule._decide(conversation, self._otherwise)
        except ScriptError as error:
            # Not worth another try: the client of a provider fails at once, and the test with it.
            self.problems.append(str(error))
            await send_fault(exchange, conversation, Fault(status=400, message=str(error)))
            return
        if pace.delay:
            await asyncio.sleep(pace.delay)
        if isinstance(answer, Fault):
            await send_fault(exchange, conversation, answer)
        elif conversation.stream:
            await send_stream(exchange, conversation, answer, pace)
        else:
            openai = conversation.provider == "openai"
            await exchange.send_json(200, (openai_body if openai else anthropic_body)(conversation, answer))

    async def _answer_get(self, exchange: Exchange, path: str) -> None:
        if path.endswith("/models"):
            await exchange.send_json(200, {"object": "list", "data": [{"id": "scripted", "object": "model"}]})
        else:
            await exchange.send_json(200, {"status": "ok"})

    def _note(self, request: RecordedRequest) -> Rule:
        """Record the request and find its rule.

        Raises:
            ScriptError: there is none.
        """
        self._record_request(request)
        candidates = [*self._rules, *([self._otherwise] if self._otherwise else [])]
        rule = next((rule for rule in candidates if rule._take(request.conversation)), None)
        if rule is None:
            self.unmatched.append(request)
            raise ScriptError(self._complaint(request.conversation))
        return rule

    def _record_request(self, request: RecordedRequest) -> None:
        with self._lock:
            self._received += 1
            if self._record:
                self.requests.append(request)
                del self.requests[: -self._record]
            due = [arrived for count, arrived in self._waiting if count <= self._received]
            self._waiting = [entry for entry in self._waiting if entry[0] > self._received]
        for arrived in due:
            if not arrived.done():
                arrived.set_result(None)

    def _complaint(self, conversation: Conversation) -> str:
        """What came, and why each of the rules is not for it."""
        last = conversation.last
        ends = f"ends with {last.role}: {last.text[:200]!r}" if last else "is empty"
        complaint = f"no rule of the script is for this conversation, which {ends}"
        rules = "; ".join(f"{rule.description}: {rule._objection(conversation)}" for rule in self._rules)
        return f"{complaint}. Rules: {rules}" if rules else f"{complaint}: the script has no rules; add when(...).reply"
