"""What an agent may use: functions, tools of MCP servers, other agents, knowledge."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rojak.manifests.base import Model
from rojak.manifests.rules import Rule, exactly_one, is_given, needs
from rojak.manifests.values import (
    AgentRef,
    Duration,
    FunctionName,
    MCPServerRef,
    SecretSource,
    Text,
    ToolFilter,
    ToolName,
    seconds_of,
)


class FunctionTool(Model):
    """A Python function.

    Attributes:
        name: of a function that the worker knows, or where it is: ``module:name``.
    """

    name: FunctionName


class MCPTool(ToolFilter):
    """Tools of an MCP server.

    Attributes:
        server_ref: the MCPServer.
        prefix: put before the names of the tools, so that tools of two servers do not collide.
    """

    server_ref: MCPServerRef
    prefix: Annotated[ToolName, Field(max_length=32)] | None = None


class AgentTool(Model):
    """Another agent as a tool: it is asked, answers, and this agent goes on.

    Attributes:
        agent_ref: the Agent.
        description: when and how to ask it; the model reads this.
        name: of the tool, as the model sees it; ``ask_<agent>`` when left out.
        share_context: whether the agent begins with a copy of the context variables. What it changes stays with it.
        timeout: how long the whole piece of work may take, waiting for humans included; as long as it takes when
            left out.
    """

    agent_ref: AgentRef
    description: Text
    name: ToolName | None = None
    share_context: bool = False
    timeout: Duration | None = None


class QdrantSource(Model):
    """A collection of a Qdrant store.

    Attributes:
        url: of the Qdrant service.
        path: folder of an embedded store instead of a service, or ``:memory:``.
        collection: where to look.
        api_key: of the service.
        limit: how many passages are found at most.
        score_threshold: how well a passage has to match; any will do when left out.
        embedding_model: which model turns the question into a vector.
        embed_function: the function that does it instead; it is given the text, and returns a list of numbers.
        cloud_inference: whether the service turns the question into a vector.
        vector_name: which of a point's vectors is searched, where they have names.
        text_fields: fields of a point's payload that may hold its text; the first one that does counts. Dots lead
            into objects.
        source_field: the field that says where a passage comes from; ``source`` when left out.
    """

    rules = (
        exactly_one("url", "path", message="say where the store is: give exactly one of url and path"),
        needs("apiKey", "url"),
    )

    url: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    path: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    collection: Annotated[str, Field(min_length=1, max_length=255)]
    api_key: SecretSource | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 5
    score_threshold: float | None = None
    embedding_model: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    embed_function: FunctionName | None = None
    cloud_inference: bool = False
    vector_name: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    text_fields: Annotated[list[Text], Field(min_length=1, max_length=16)] | None = None
    source_field: Annotated[str, Field(min_length=1, max_length=255)] | None = None


class RetrieverTool(Model):
    """Knowledge. It is looked up for each question and added to the instructions, or when the model wants to.

    Attributes:
        qdrant: a Qdrant collection.
        description: what can be found there. Given, the model decides what to look up, and when; left out, each
            question is looked up.
        name: of the tool, as the model sees it; ``search_<collection>`` when left out.
        timeout: how long a look-up may take; the turn goes on without it then.
    """

    rules = (
        needs("name", "description"),
        Rule(
            cel="duration(self.timeout) <= duration('5m')",
            holds=lambda data: seconds_of(data.get("timeout", "4s")) <= 300,
            message="nobody waits for knowledge longer than five minutes; make timeout shorter",
            at="timeout",
        ),
    )

    qdrant: QdrantSource
    description: Text | None = None
    name: ToolName | None = None
    timeout: Duration = "4s"


class Approval(Model):
    """Whether a human is asked before a call.

    Attributes:
        mode: ``Never``, ``Always``, or ``Destructive``: when the MCP server says, or does not deny, that the tool
            destroys something.
        question: what the human is asked; made from the call when left out.
        timeout: how long to wait for the human; for ever when left out, which costs nothing.
        on_timeout: what happens to the call then; it is rejected when left out.
    """

    rules = (
        needs("onTimeout", "timeout"),
        Rule(
            cel="self.mode != 'Never' || (!has(self.question) && !has(self.timeout))",
            holds=lambda data: data["mode"] != "Never" or not (is_given(data, "question") or is_given(data, "timeout")),
            message="nobody is asked with mode: Never; remove question and timeout, or choose mode: Always",
            at="mode",
        ),
    )

    mode: Literal["Never", "Always", "Destructive"]
    question: Text | None = None
    timeout: Duration | None = None
    on_timeout: Literal["Reject", "Approve", "Fail"] | None = None


class Tool(Model):
    """One thing that an agent may use.

    Attributes:
        function: a Python function.
        mcp: tools of an MCP server.
        agent: another agent, as a tool.
        retriever: knowledge.
        approval: whether a human is asked before a call; nobody is when left out.
    """

    rules = (
        exactly_one("function", "mcp", "agent", "retriever"),
        Rule(
            cel="!has(self.approval) || self.approval.mode != 'Destructive' || has(self.mcp)",
            holds=lambda data: (
                not is_given(data, "approval") or data["approval"]["mode"] != "Destructive" or is_given(data, "mcp")
            ),
            message="only tools of an MCP server say whether they are destructive; choose mode: Always or Never here",
            at="approval",
        ),
        Rule(
            cel="!(has(self.approval) && has(self.retriever))",
            holds=lambda data: not (is_given(data, "approval") and is_given(data, "retriever")),
            message="nobody can be asked before knowledge is looked up; remove approval",
            at="approval",
        ),
    )

    function: FunctionTool | None = None
    mcp: MCPTool | None = None
    agent: AgentTool | None = None
    retriever: RetrieverTool | None = None
    approval: Approval | None = None


class Handoff(Model):
    """Another agent that may take the conversation over.

    Attributes:
        agent_ref: the Agent.
        description: when to hand over; the model reads this.
        name: of the tool, as the model sees it; ``transfer_to_<agent>`` when left out.
    """

    agent_ref: AgentRef
    description: Text
    name: ToolName | None = None
