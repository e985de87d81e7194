"""Connections to MCP servers that all workers of a process share: one for each server.

What an agent takes of a server, and by which names, is its own business; the connection, and the child process behind
it, is the same for all whose configurations say the same about how to reach the server.
"""

from __future__ import annotations

import asyncio
import threading
from weakref import WeakKeyDictionary

from rojak.mcp.connection import Connection
from rojak.types.mcp import MCPServerConfig

#: What a configuration says of the tools, and not of the server.
_OF_THE_TOOLS = {"include", "exclude", "prefix"}


class _Shared:
    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.users = 0


#: By event loop, because a connection lives on one, and by what there is to know to reach the server.
_connections: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Shared]] = WeakKeyDictionary()
_lock = threading.Lock()


def acquire(name: str, config: MCPServerConfig) -> Connection:
    """The connection that there is, or a new one. To be given back with `release`.

    Args:
        name: of the server, for logs; the first one counts.
        config: how to reach it.
    """
    key = _key(config)
    loop = asyncio.get_running_loop()
    with _lock:
        known = _connections.setdefault(loop, {})
        shared = known.get(key)
        if shared is None or shared.connection.is_over:
            shared = known[key] = _Shared(Connection(name, config))
            shared.connection.start()
        shared.users += 1
        return shared.connection


async def release(connection: Connection) -> None:
    """Give a connection back. When nobody uses it any more it is closed."""
    with _lock:
        known = _connections.get(asyncio.get_running_loop(), {})
        key = _key(connection.config)
        shared = known.get(key)
        # One that ended by itself has been replaced.
        is_known = shared is not None and shared.connection is connection
        if is_known and shared is not None:
            shared.users -= 1
            if shared.users:
                return
            del known[key]
    await connection.close()


def _key(config: MCPServerConfig) -> str:
    return config.model_dump_json(exclude=_OF_THE_TOOLS)
