"""Where a tool call goes: what kind of thing the model named, as data that a pending call carries."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class FunctionRoute(BaseModel):
    """A function that is registered with the worker."""

    kind: Literal["function"] = "function"

    def model_post_init(self, context: object, /) -> None:
        """Keep the tag of the union on the wire although it is a default."""
        self.__pydantic_fields_set__.add("kind")


#: One kind of route for each kind of tool. With a second kind this becomes a union with ``kind`` as its tag.
Route = FunctionRoute
