"""What an agent is, as data that travels with a task and into the session's state."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SerializeAsAny, field_validator, model_validator

from rojak.types.compaction import Compaction
from rojak.types.outputs import check_schema, schema_of
from rojak.types.retriever import AnyRetriever
from rojak.types.retry import LONGEST_SECONDS, RetryOptions
from rojak.types.tools import AnyTool, Tool


class Interrupt(BaseModel):
    """Asks a human before a tool runs: ``Interrupt("process_payment")``, ``Interrupt("files_*")``.

    ``Interrupt(destructive=True)`` stands for every tool of an MCP server that may destroy something, and
    ``Interrupt(server="files")`` for every tool of one server. Of several interrupts for one tool the most specific
    counts: its name, then a pattern (the one that says most of the name), then ``server``, then ``destructive``.

    Attributes:
        tool_name: the function or tool whose calls wait for approval; ``*`` and ``?`` stand for any text and any
            character, as in file names.
        destructive: calls of destructive tools wait, whatever their names.
        server: calls of this MCP server's tools wait; with ``destructive`` only those of its destructive ones.
        question: what the human is asked; None means a question made from the call.
        when: ``"before"`` the call is the only time there is.
        timeout_in_seconds: how long to wait for the human; None waits for ever (durably, at no cost).
        on_timeout: what happens to the call then: it is rejected, approved, or the whole turn fails.
    """

    model_config = ConfigDict(extra="forbid")

    tool_name: str | None = None
    destructive: bool = False
    server: str | None = None
    question: str | None = None
    when: Literal["before"] = "before"
    timeout_in_seconds: float | None = Field(default=None, gt=0, le=LONGEST_SECONDS)
    on_timeout: Literal["reject", "approve", "fail"] = "reject"

    def __init__(self, tool_name: str | None = None, /, **fields: Any) -> None:
        if tool_name is not None:
            fields["tool_name"] = tool_name
        super().__init__(**fields)

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if (self.tool_name is None) is not (self.destructive or self.server is not None):
            raise ValueError(
                "an interrupt names a tool, as in Interrupt('pay') or Interrupt('files_*'), or is"
                " Interrupt(destructive=True) or Interrupt(server='files')"
            )
        return self

    def specificity(self, tool_name: str, *, destructive: bool, server: str | None = None) -> int:
        """How specifically the interrupt stands for a tool; 0 if it does not."""
        if self.tool_name is None:
            if (self.destructive and not destructive) or self.server not in (None, server):
                return 0
            return 1 if self.server is None else 2
        if self.tool_name == tool_name:
            return len(tool_name) + 4
        if fnmatchcase(tool_name, self.tool_name):
            return 3 + sum(character not in "*?" for character in self.tool_name)
        return 0


class AgentInstructionOptions(BaseModel):
    """Names a registered function that returns the instructions, given ``context_variables`` if it asks for them."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["function"] = "function"
    name: str


class AgentLimits(BaseModel):
    """What one run may take, as `Rojak.run` has it. What is left out stays as it is for any run.

    Attributes:
        max_turns: messages that may be generated.
        history_size: messages that a persistent session keeps from one turn to the next.
        max_tool_calls: tool calls that may be made.
        max_tokens_total: tokens after which the model is not called again.
        run_timeout: seconds that the run may take.
        compaction: when a persistent session summarises its older messages.
    """

    model_config = ConfigDict(extra="forbid")

    max_turns: int | None = Field(default=None, ge=0)
    history_size: int | None = Field(default=None, ge=0)
    max_tool_calls: int | None = Field(default=None, ge=0)
    max_tokens_total: int | None = Field(default=None, ge=0)
    run_timeout: float | None = Field(default=None, gt=0)
    compaction: Compaction | None = None


class Agent(BaseModel):
    """Instructions, the functions the model may call, and how to call the model. Subclass it for a provider.

    Attributes:
        type: names the provider; the worker finds the activities that serve it by this.
        model: the provider's name of the model.
        name: shown as the ``sender`` of messages, in traces and in Temporal's UI.
        instructions: the system prompt, or the registered function that makes it.
        functions: names of registered functions that the model may call.
        tools: what it may call besides: other agents, for instance.
        mcp_servers: the MCP servers, of those the worker has, whose tools the model may call; None means all.
        tool_choice: passed to the provider as it is; nothing is sent when None.
        parallel_tool_calls: whether several calls of one model turn run at the same time. False runs them one
            after another, in the model's order, and asks the provider for one at a time.
        interrupts: tool calls that wait for a human.
        retriever: where knowledge for the instructions comes from.
        retry_options: time-outs and retries of this agent's model and tool calls.
        output_type: what answers are to be: a pydantic model, a dataclass or a TypedDict. It stays in this process;
            what travels is its schema.
        output_schema: the JSON schema of it; may be given instead of ``output_type``. It describes an object.
        output_mode: ``"native"`` asks the provider to keep to the schema; ``"instructions"`` asks the model, for
            models and servers that have nothing of the kind.
        output_retries: how often a model is told what does not fit in its answer before the run fails.
        task_queue: where all calls of this agent are made, wherever the session is; None means the session's queue.
        context_variables: what a session begins with where it has no value of its own.
        limits: what one run that begins with this agent may take, where the caller does not say.
        pinned: a session keeps the definition that it began with. Only for agents that come by name.
        revision: of a definition that came by name; set by the worker that has it.
    """

    model_config = ConfigDict(extra="forbid")

    #: Every subclass with a ``type`` of its own, so that stored data finds its class again.
    known_types: ClassVar[dict[str, type[Agent]]] = {}

    type: str
    model: str
    name: str = Field(default="Agent", min_length=1)
    instructions: str | AgentInstructionOptions = "You are a helpful assistant."
    functions: list[str] = []
    tools: list[AnyTool] = []
    mcp_servers: list[str] | None = None
    tool_choice: Any | None = None
    parallel_tool_calls: bool = True
    interrupts: list[Interrupt] = []
    retriever: AnyRetriever | None = None
    retry_options: RetryOptions = RetryOptions()
    output_type: Any | None = Field(default=None, exclude=True, repr=False)
    output_schema: dict[str, Any] | None = Field(default=None, repr=False)
    output_mode: Literal["native", "instructions"] = "native"
    output_retries: int = Field(default=2, ge=0)

    @field_validator("output_schema")
    @classmethod
    def _schema_is_of_an_object(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        return None if value is None else check_schema(value)

    task_queue: str | None = Field(default=None, min_length=1)
    context_variables: dict[str, Any] = {}
    limits: AgentLimits | None = None
    pinned: bool = False
    revision: str | None = None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Register the subclass under its ``type``."""
        super().__pydantic_init_subclass__(**kwargs)
        default = cls.model_fields["type"].default
        if isinstance(default, str):
            Agent.known_types[default] = cls

    def model_post_init(self, context: Any, /) -> None:
        """Keep what identifies the agent on the wire, also where it came from a default of this version's class."""
        self.__pydantic_fields_set__.update(("type", "model", "name"))
        if self.output_type is not None:
            self.output_schema = schema_of(self.output_type)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with these fields changed; the schema follows the type."""
        copied = super().model_copy(update=update, deep=deep)
        if update and "output_type" in update:
            copied.output_schema = None if copied.output_type is None else schema_of(copied.output_type)
        return copied

    def __eq__(self, other: object) -> bool:
        """Whether both are the same as data: what this process knows of ``output_type`` does not count."""
        if not isinstance(other, Agent):
            return NotImplemented
        return type(self) is type(other) and self._as_data() == other._as_data()

    def _as_data(self) -> tuple[Any, ...]:
        fields = {name: value for name, value in self.__dict__.items() if name != "output_type"}
        return fields, self.__pydantic_extra__, self.__pydantic_private__

    @model_validator(mode="after")
    def _tools_have_names_of_their_own(self) -> Self:
        taken = set(self.functions)
        for tool in self.tools:
            if tool.name in taken:
                raise ValueError(
                    f"agent {self.name!r} has two tools named {tool.name!r}; give one of them another name=..."
                )
            taken.add(tool.name)
        return self

    def find_tool(self, name: str) -> Tool | None:
        """The tool that is no function and that models call by this name, or None."""
        return next((tool for tool in self.tools if tool.name == name), None)

    def interrupt_for(
        self, tool_name: str, *, destructive: bool = False, server: str | None = None
    ) -> Interrupt | None:
        """The interrupt that a call of this function or tool triggers: the most specific one, or None."""
        found, most = None, 0
        for interrupt in self.interrupts:
            if (specificity := interrupt.specificity(tool_name, destructive=destructive, server=server)) > most:
                found, most = interrupt, specificity
        return found


class AgentRef(Agent):
    """An agent by its name: ``AgentRef("triage")``. The worker that makes its calls knows what it is.

    Sessions get changes of the agent with their next turn, unless its definition is pinned.

    Attributes:
        name: as the worker knows it.
        task_queue: where that worker is; None means the queue of the session.
    """

    type: str = "ref"
    model: str = ""

    def __init__(self, name: str | None = None, /, **fields: Any) -> None:
        if name is not None:
            fields["name"] = name
        super().__init__(**fields)


class ForeignAgent(Agent):
    """An agent whose class this process has not imported: carried along as the data it is, extra fields and all."""

    model_config = ConfigDict(extra="allow")


def _revive(value: Any) -> Any:
    """Give stored data the class that its ``type`` names."""
    if not isinstance(value, dict):
        return value
    cls = Agent.known_types.get(value.get("type", ""), ForeignAgent)
    return cls.model_validate(value)


#: An agent as stored and sent: revived as the class of its ``type``, and kept whole where that class is not known.
AnyAgent = Annotated[SerializeAsAny[Agent], BeforeValidator(_revive)]


class AgentExecuteFnResult(BaseModel):
    """What a function returns that wants to do more than answer.

    Attributes:
        output: the answer to the model; cast to text as any return value is.
        agent: hand the conversation over to this agent.
        context_variables: the context variables from now on; leaving it out changes nothing.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    output: Any = ""
    agent: AnyAgent | None = None
    context_variables: dict[str, Any] | None = None
