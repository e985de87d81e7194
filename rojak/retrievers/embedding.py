"""Makes the vector of a query."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from threading import Lock
from typing import Any

from rojak.tools.threads import Raised, run_in_thread
from rojak.types.errors import ConfigurationError, MissingExtraError, RetrievalError

Vector = Sequence[float]


class Embedding:
    """Embeds with a function of the user's, sync (in a thread) or async."""

    def __init__(self, function: Callable[[str], Any]) -> None:
        self._function = function

    async def embed(self, text: str) -> list[float]:
        """The vector of a text.

        Raises:
            RetrievalError: the function raised.
            ConfigurationError: it did not return a vector.
        """
        try:
            return as_vector(await self._call(text))
        except ConfigurationError:
            raise
        # It is the user's code and may raise anything; its text may quote the query.
        except Exception as error:
            raise RetrievalError(f"the embedding function raised {type(error).__name__}") from error

    async def _call(self, text: str) -> Any:
        if inspect.iscoroutinefunction(self._function):
            return await self._function(text)
        result = await run_in_thread(lambda: self._function(text))
        if isinstance(result, Raised):
            if isinstance(result.error, Exception):
                raise result.error
            # sys.exit() in a function is no reason for the worker to exit.
            raise RuntimeError from result.error
        return await result if isinstance(result, Awaitable) else result


class FastEmbedding(Embedding):
    """Embeds with the fastembed package, as Qdrant's client does where documents are added as texts."""

    def __init__(self, model: str) -> None:
        super().__init__(self._embed)
        self._name = model
        self._model: Any = None
        self._loading = Lock()

    def _embed(self, text: str) -> Any:
        with self._loading:
            if self._model is None:
                self._model = self._load()
        return next(iter(self._model.query_embed([text])))

    def _load(self) -> Any:
        """The model; downloaded the first time, which is the check that a worker makes when it starts."""
        try:
            import fastembed  # type: ignore[import-not-found,unused-ignore]
        except ImportError:
            raise MissingExtraError(
                "nothing embeds the queries: give QdrantRetrieverOptions(embed=...), or pip install fastembed"
            ) from None
        return fastembed.TextEmbedding(model_name=self._name)


def as_vector(value: Any) -> list[float]:
    """The value as a list of numbers: a list, a tuple or an array.

    Raises:
        ConfigurationError: it is none.
    """
    listed = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(listed, Sequence) and listed and all(isinstance(number, int | float) for number in listed):
        return [float(number) for number in listed]
    raise ConfigurationError(
        f"the embedding function returned a {type(value).__name__} that is no list of numbers; it has to return one"
        " vector"
    )
