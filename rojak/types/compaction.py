"""When the old part of a conversation is summarised, and how."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Compaction(BaseModel):
    """Summarises the older messages of a persistent session with the model, instead of dropping them.

    It is made after a turn whose end finds one of the triggers reached, and takes effect with the next turn. While a
    session has such a policy, ``history_size`` has no effect.

    Attributes:
        trigger_messages: more messages than this are kept.
        trigger_bytes: the messages that are kept have more bytes of JSON than this.
        trigger_tokens: the last model call read and wrote more tokens than this.
        keep_last: messages that stay as they are. Fewer where they would begin with the result of a tool call.
        model: the provider's name of the model that summarises; the active agent's when None.
        instructions: what that model is told; Rojak's own words when None.
    """

    model_config = ConfigDict(extra="forbid")

    trigger_messages: int | None = Field(default=None, ge=2)
    trigger_bytes: int | None = Field(default=None, ge=1024)
    trigger_tokens: int | None = Field(default=None, ge=1)
    keep_last: int = Field(default=6, ge=0)
    model: str | None = Field(default=None, min_length=1)
    instructions: str | None = Field(default=None, min_length=1, max_length=8000)

    @model_validator(mode="after")
    def _can_happen(self) -> Self:
        triggers = (self.trigger_messages, self.trigger_bytes, self.trigger_tokens)
        if all(trigger is None for trigger in triggers):
            raise ValueError("a compaction needs a trigger: trigger_messages, trigger_bytes or trigger_tokens")
        if self.trigger_messages is not None and self.keep_last >= self.trigger_messages:
            raise ValueError(
                f"keep_last={self.keep_last} leaves nothing to summarise of trigger_messages={self.trigger_messages};"
                " it has to be smaller"
            )
        return self
