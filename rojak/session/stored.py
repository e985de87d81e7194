"""The base of what a session stores and changes in place."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class Stored(BaseModel):
    """Every field is stored, set or not.

    The converter leaves out unset fields, and appending to a default list does not set the field.
    """

    def model_post_init(self, context: Any, /) -> None:
        """Mark every field as set."""
        self.__pydantic_fields_set__.update(type(self).model_fields)
