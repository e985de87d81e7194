"""How a worker asks a store: the extension point next to `rojak.types.Retriever`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar


class RetrieverActivities(ABC):
    """Serves the retrievers of one type. Subclass it for a store, and give an instance to ``create_worker``."""

    #: The ``type`` of the Retriever subclass that this serves.
    retriever_type: ClassVar[str]

    @abstractmethod
    async def retrieve(self, query: str) -> str:
        """The text that belongs to ``query``, for the agent's instructions; empty if there is none.

        Any exception means that the agent goes on without.
        """

    async def close(self) -> None:  # noqa: B027 - optional: most stores have nothing to release
        """Release connections; the worker calls it when it stops."""
