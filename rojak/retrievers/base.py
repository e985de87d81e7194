"""How a worker asks a store: the extension point next to `rojak.types.Retriever`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from rojak.types.retriever import Passage, Retriever, label_retriever


class RetrieverActivities(ABC):
    """Serves the retrievers of one type. Subclass it for a store, and give an instance to ``create_worker``."""

    #: The ``type`` of the Retriever subclass that this serves.
    retriever_type: ClassVar[str]
    #: Tells this one from others of the type in the same worker: retrievers of this ``name`` are served.
    retriever_name: str | None = None

    @property
    def label(self) -> str:
        """Type and name in one, as logs and metrics show them."""
        return label_retriever(self.retriever_type, self.retriever_name)

    @abstractmethod
    async def retrieve(self, query: str, retriever: Retriever) -> Sequence[Passage] | str:
        """What belongs to ``query``, the best first: passages, or one text that names its sources itself.

        Args:
            query: what the user said last, or what the model looks for.
            retriever: the agent's, with the fields that your subclass of `Retriever` has.

        Raises:
            ConfigurationError: it cannot work like this; it is not tried again.
            Exception: anything else; it is tried once more. Whatever is raised, the agent goes on without. The
                message of a ConfigurationError or a RetrievalError is shown to operators, so it must quote nobody;
                of other exceptions only the class is.
        """

    async def check(self) -> None:  # noqa: B027 - optional
        """See whether the store can be asked as it is set up. A worker does so when it starts.

        Raises:
            Exception: what `retrieve` would raise. It is logged as a warning, and the worker works.
        """

    async def close(self) -> None:  # noqa: B027 - optional: most stores have nothing to release
        """Release connections; the worker calls it when it stops."""
