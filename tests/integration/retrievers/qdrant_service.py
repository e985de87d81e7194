"""A Qdrant service for tests: the REST calls that a retriever makes, answered by the embedded engine, or badly."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Self

from qdrant_client import AsyncQdrantClient

from rojak.testing.http import Exchange, Request, serve_connection
from tests.integration.retrievers.knowledge import embed


class QdrantService:
    """Listens on loopback.

    Attributes:
        api_key: refuse who has another one.
        failing: answer with this status.
        hanging: take requests and never answer.
        requests: what came.
    """

    def __init__(self, store: AsyncQdrantClient) -> None:
        self._store = store
        self._port = 0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.api_key: str | None = None
        self.failing: int | None = None
        self.hanging = False
        self.requests: list[Request] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; on the port of before if it was stopped."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await serve_connection(reader, writer, self._answer)
        finally:
            self._connections.discard(task)

    async def _answer(self, exchange: Exchange) -> None:
        request = exchange.request
        self.requests.append(request)
        if self.hanging:
            await asyncio.Event().wait()
        if self.failing is not None:
            await exchange.send_json(self.failing, {"status": {"error": "told to fail"}})
        elif self.api_key is not None and request.headers.get("api-key") != self.api_key:
            await exchange.send_json(401, {"status": {"error": "Must provide an API key"}})
        else:
            status, body = await self._look_up(request)
            await exchange.send_json(status, body)

    async def _look_up(self, request: Request) -> tuple[int, Any]:
        _, _, collection, *rest = [*request.path.split("?")[0].split("/"), ""]
        try:
            match [part for part in rest if part]:
                case []:
                    if not collection:
                        return self._ok((await self._store.get_collections()).model_dump(mode="json"))
                    return self._ok((await self._store.get_collection(collection)).model_dump(mode="json"))
                case ["exists"]:
                    return self._ok({"exists": await self._store.collection_exists(collection)})
                case ["points", "query"]:
                    return self._ok(await self._query(collection, json.loads(request.body)))
                case _:
                    return 404, {"status": {"error": "no such path"}}
        except ValueError as error:
            # The engine's words for a missing collection and for a vector of another length.
            status = 404 if "not found" in str(error) else 400
            return status, {"status": {"error": str(error)}}

    async def _query(self, collection: str, asked: dict[str, Any]) -> Any:
        wanted = asked["query"]
        nearest = wanted["nearest"] if isinstance(wanted, dict) and "nearest" in wanted else wanted
        # A text is for the service to embed.
        vector = embed(nearest["text"]) if isinstance(nearest, dict) else nearest
        found = await self._store.query_points(
            collection,
            query=vector,
            using=asked.get("using"),
            limit=asked["limit"],
            score_threshold=asked.get("score_threshold"),
        )
        return found.model_dump(mode="json")

    @staticmethod
    def _ok(result: Any) -> tuple[int, Any]:
        return 200, {"result": result, "status": "ok", "time": 0.0}
