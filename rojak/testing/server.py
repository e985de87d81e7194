"""A model server that says what a test tells it to."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Self

from rojak.testing.conversation import Conversation, read_anthropic, read_openai
from rojak.testing.http import Exchange, serve_connection
from rojak.testing.replies import Fault, Pace, Reply
from rojak.testing.rules import Rule, Text, make_rule
from rojak.testing.wire import anthropic_body, anthropic_events, error_body, openai_body, openai_events

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
        self._otherwise = Rule("otherwise()", lambda _: True)
        return self._otherwise

    def reset(self) -> None:
        """Forget the script and what was asked."""
        self._rules, self._otherwise = [], None
        with self._lock:
            self.requests, self.unmatched, self._received = [], [], 0

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
        """Fail if a request came that no rule was for.

        Raises:
            AssertionError: says what came and which rules there are.
        """
        if self.unmatched:
            raise AssertionError(self._complaint(self.unmatched[0].conversation))

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
        conversation = _read(path, request.body)
        if conversation is None:
            await exchange.send_json(404, {"error": {"message": f"nothing is served at {path}", "type": "not_found"}})
            return
        headers = {name: "***" if name in _SECRET_HEADERS else value for name, value in request.headers.items()}
        rule = self._note(RecordedRequest(path, headers, conversation))
        if rule is None:
            fault = Fault(status=400, message=self._complaint(conversation))
            await _send_fault(exchange, conversation, fault)
            return
        answer, pace = await rule._decide(conversation, self._otherwise)
        if pace.delay:
            await asyncio.sleep(pace.delay)
        if isinstance(answer, Fault):
            await _send_fault(exchange, conversation, answer)
        elif conversation.stream:
            await _send_stream(exchange, conversation, answer, pace)
        else:
            openai = conversation.provider == "openai"
            await exchange.send_json(200, (openai_body if openai else anthropic_body)(conversation, answer))

    async def _answer_get(self, exchange: Exchange, path: str) -> None:
        if path.endswith("/models"):
            await exchange.send_json(200, {"object": "list", "data": [{"id": "scripted", "object": "model"}]})
        else:
            await exchange.send_json(200, {"status": "ok"})

    def _note(self, request: RecordedRequest) -> Rule | None:
        """Record the request and find its rule."""
        candidates = [*self._rules, *([self._otherwise] if self._otherwise else [])]
        rule = next((rule for rule in candidates if rule._take(request.conversation)), None)
        with self._lock:
            self._received += 1
            if self._record:
                self.requests.append(request)
                del self.requests[: -self._record]
            if rule is None:
                self.unmatched.append(request)
            due = [arrived for count, arrived in self._waiting if count <= self._received]
            self._waiting = [entry for entry in self._waiting if entry[0] > self._received]
        for arrived in due:
            if not arrived.done():
                arrived.set_result(None)
        return rule

    def _complaint(self, conversation: Conversation) -> str:
        rules = "; ".join(rule.description for rule in self._rules) or "none"
        last = conversation.last
        ends = f"ends with {last.role}: {last.text[:200]!r}" if last else "is empty"
        return f"no rule of the script is for this conversation, which {ends}. Rules: {rules}"


def _read(path: str, body: bytes) -> Conversation | None:
    parts = path.strip("/").split("/")
    if path.endswith("/chat/completions"):
        return read_openai(json.loads(body))
    if path.endswith("/messages"):
        return read_anthropic(json.loads(body))
    if len(parts) >= 3 and parts[-3] == "model" and parts[-1] == "invoke":
        return read_anthropic(json.loads(body), model=urllib.parse.unquote(parts[-2]))
    return None


async def _send_fault(exchange: Exchange, conversation: Conversation, fault: Fault) -> None:
    if fault.drop:
        exchange.abort()
    elif fault.body is not None:
        await exchange.send_body(200, fault.body, fault.headers)
    else:
        await exchange.send_json(fault.status or 500, error_body(conversation, fault), fault.headers)


async def _send_stream(exchange: Exchange, conversation: Conversation, reply: Reply, pace: Pace) -> None:
    events: Iterator[bytes] = (openai_events if conversation.provider == "openai" else anthropic_events)(
        conversation, reply
    )
    await exchange.start_stream()
    for index, event in enumerate(events):
        if pace.break_after is not None and index >= pace.break_after:
            exchange.abort()
            return
        await exchange.send_chunk(event)
        if pace.chunk_delay:
            await asyncio.sleep(pace.chunk_delay)
    await exchange.end_stream()
