"""Clients of the providers' SDKs: made when they are needed, and called without blocking anybody."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from rojak.tools.threads import Raised, run_in_thread
from rojak.types.errors import ConfigurationError

T = TypeVar("T")


class ClientSource:
    """Gives out the SDK's client: the user's own, or one for each event loop, since connections belong to a loop.

    Args:
        given: the user's client, or None.
        make: makes an async client.
        async_types: the SDK's classes of async clients.
    """

    def __init__(self, given: Any | None, make: Callable[[], Any], async_types: tuple[type, ...]) -> None:
        self._make = make
        self._made: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()
        # Attempts are Temporal's affair: an SDK that tries again by itself would multiply them.
        self._given: Any = given
        if given is not None and hasattr(given, "with_options"):
            self._given = given.with_options(max_retries=0)
        self.is_sync = given is not None and not isinstance(given, async_types)

    def get(self) -> Any:
        """The client to call in the running event loop."""
        if self._given is not None:
            return self._given
        loop = asyncio.get_running_loop()
        client = self._made.get(loop)
        if client is None:
            client = self._made[loop] = self._make()
        return client

    async def close(self) -> None:
        """Close what was made for this event loop. A client of the user's is the user's to close."""
        client = self._made.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.close()


async def call_in_thread(work: Callable[[], T]) -> T:
    """The result of ``work``, done in a thread."""
    result = await run_in_thread(work)
    if isinstance(result, Raised):
        raise result.error
    return result


async def iterate_in_thread(make: Callable[[], Iterator[T]]) -> AsyncIterator[T]:
    """The items of an iterator that blocks, each fetched in a thread."""
    items = await call_in_thread(make)
    end = object()
    while (item := await call_in_thread(lambda: next(items, end))) is not end:
        yield item  # type: ignore[misc]  # the sentinel was excluded by identity, which types do not see


def require_key(given: str | None, variables: tuple[str, ...], option: str) -> None:
    """Refuse to begin without a key.

    Raises:
        ConfigurationError: names the option and the environment variables.
    """
    if not given and not any(os.environ.get(variable) for variable in variables):
        raise ConfigurationError(f"no API key: give {option}(api_key=...), or set {' or '.join(variables)}")


def check_inference_config(config: dict[str, Any], reserved: frozenset[str]) -> None:
    """Refuse parameters that are the session's to set.

    Raises:
        ConfigurationError: names them.
    """
    if taken := sorted(reserved & config.keys()):
        raise ConfigurationError(
            f"inference_config sets {', '.join(taken)}, which come from the agent and the conversation; set them there"
        )
