"""What a conversation is made of: messages, the tool calls in them, and the tokens they cost.

The shape is OpenAI's chat message, which users know and other providers map onto; dictionaries of that shape are
accepted wherever a message is.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Role = Literal["system", "developer", "user", "assistant", "tool"]


class FunctionCall(BaseModel):
    """The function that a model asks for. ``arguments`` is JSON as the model wrote it, so it may be malformed."""

    name: str
    arguments: str = "{}"


class ToolCall(BaseModel):
    """One entry of an assistant message's ``tool_calls``. ``id`` pairs it with the tool message that answers it."""

    id: str
    type: Literal["function"] = "function"
    function: FunctionCall


class Usage(BaseModel):
    """Tokens as the provider counts them. ``cached_tokens`` are those of ``input_tokens`` read from its cache."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0

    def model_post_init(self, context: Any, /) -> None:
        """Store counts that are not zero alone: every message has some, and each is in the history twice."""
        self.__pydantic_fields_set__.difference_update(
            [name for name in self.__pydantic_fields_set__ if not getattr(self, name)]
        )

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
        )


class ConversationMessage(BaseModel):
    """One message of a conversation.

    Attributes:
        role: who speaks, in the providers' terms.
        content: text, or a list of content parts (TextPart, ImagePart, or dictionaries in OpenAI's form), or None
            where there are only tool calls.
        sender: name of the agent that generated the message (also on the results of the tools it called).
        tool_calls: what an assistant message asks for.
        tool_call_id: on a tool message, the ``ToolCall.id`` that it answers.
        name: optional name of the participant, passed on to providers that know one.
        usage: tokens of the model call that generated the message.
        id: unique within the session, given to messages that a model generated.
        provider_data: what the provider that generated the message wants back verbatim (thinking blocks with their
            signatures, for instance); no other provider gets to see it.
    """

    model_config = ConfigDict(extra="ignore")

    role: Role
    content: str | list[dict[str, Any]] | None = None
    sender: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    name: str | None = None
    usage: Usage | None = None
    id: str | None = None
    provider_data: dict[str, Any] | None = Field(default=None, repr=False)

    @property
    def text(self) -> str:
        """The text of the message: the content, or its text parts joined; empty when there is none."""
        if isinstance(self.content, str):
            return self.content
        return "".join(str(part["text"]) for part in self.content or [] if part.get("type") == "text")
