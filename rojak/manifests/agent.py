"""Agent: what an agent is."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from rojak.manifests.base import Model
from rojak.manifests.resource import API_VERSION, MESSAGE_COLUMN, Column, Listing, Resource, condition_column
from rojak.manifests.rules import Rule, at_least_one, at_most_one, exactly_one, in_clusters, is_given
from rojak.manifests.tools import Handoff, Tool
from rojak.manifests.values import (
    AnyObject,
    ConfigMapKeyRef,
    Duration,
    FunctionName,
    Header,
    HttpUrl,
    SecretSource,
    Text,
    WorkerPoolRef,
    header_list,
)
from rojak.manifests.worker import WorkerSpec, WorkerStatus

#: Characters of instructions; an agent travels through Temporal's history.
INSTRUCTIONS_LENGTH = 60_000


class InstructionsSource(Model):
    """Where instructions come from.

    Attributes:
        config_map_key_ref: the key of a ConfigMap that holds them.
        file: a file beside the manifest that holds them. On a laptop only: a cluster has no such file.
    """

    rules = (
        exactly_one("configMapKeyRef", "file"),
        in_clusters("!has(self.file)", "a file is for laptops; put the text into a ConfigMap and use configMapKeyRef"),
    )

    config_map_key_ref: ConfigMapKeyRef | None = None
    file: Annotated[str, Field(min_length=1, max_length=1024)] | None = None


class ModelSpec(Model):
    """Which model, and how it is called.

    Attributes:
        provider: whose protocol it speaks: ``openai`` (or any server that is compatible), ``anthropic``, ``bedrock``.
        name: as the provider names it.
        base_url: where it is, when not at the provider's own address.
        api_key: of the provider; the worker's environment has it when left out (``OPENAI_API_KEY``, ...).
        headers: sent with each call.
        parameters: of each call, passed on as they are, for instance ``{temperature: 0.2}``.
    """

    provider: Literal["openai", "anthropic", "bedrock"]
    name: Annotated[str, Field(min_length=1, max_length=255)]
    base_url: HttpUrl | None = None
    api_key: SecretSource | None = None
    headers: Annotated[list[Header], Field(max_length=64), header_list] | None = None
    parameters: AnyObject | None = None


class Limits(Model):
    """What one run may take. Reaching a limit ends the run with a result that says so; a session goes on afterwards.

    Attributes:
        max_turns: messages that may be generated for one task.
        max_tool_calls: tool calls for one task.
        max_tokens_total: tokens of all model calls of one task, in and out.
        run_timeout: how long one task may take, waiting for humans included.
    """

    max_turns: Annotated[int, Field(ge=1, le=100000)] | None = None
    max_tool_calls: Annotated[int, Field(ge=1, le=100000)] | None = None
    max_tokens_total: Annotated[int, Field(ge=1)] | None = None
    run_timeout: Duration | None = None


class Compaction(Model):
    """Summing up the older messages of a conversation with the model, instead of forgetting them.

    It is done after a turn whose end finds one of the triggers reached.

    Attributes:
        trigger_messages: more messages than this are kept.
        trigger_bytes: the messages that are kept have more bytes of JSON than this.
        trigger_tokens: the last model call read and wrote more tokens than this.
        keep_last: messages that stay as they are. Fewer where they would begin with the result of a tool call.
        model: name of the model that sums up, of the same provider; the agent's own when left out.
        instructions: what that model is told; Rojak's own words when left out.
    """

    rules = (at_least_one("triggerMessages", "triggerBytes", "triggerTokens"),)

    trigger_messages: Annotated[int, Field(ge=2)] | None = None
    trigger_bytes: Annotated[int, Field(ge=1024)] | None = None
    trigger_tokens: Annotated[int, Field(ge=1)] | None = None
    keep_last: Annotated[int, Field(ge=0, le=1000)] = 6
    model: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    instructions: Annotated[str, Field(min_length=1, max_length=8000)] | None = None


class History(Model):
    """What a session keeps from one turn to the next.

    Attributes:
        size: messages that are kept, a tool call and its result together; 10 when nothing is said.
        compaction: summing up what is older, instead of forgetting it.
    """

    rules = (at_most_one("size", "compaction", message="give size or compaction, not both: one decides what is kept"),)

    size: Annotated[int, Field(ge=0, le=100000)] | None = None
    compaction: Compaction | None = None


class Retry(Model):
    """How long a model call or a tool call may take, and how often it is tried.

    Attributes:
        timeout: of one attempt.
        max_attempts: attempts in all, the first one included.
        initial_interval: pause before the second attempt.
        max_interval: longest pause; 100 times the initial one when left out.
        backoff_coefficient: by which each pause is longer than the one before.
        non_retryable_errors: names of exception classes that another attempt will not help.
    """

    timeout: Duration = "60s"
    max_attempts: Annotated[int, Field(ge=1, le=1000)] | None = None
    initial_interval: Duration | None = None
    max_interval: Duration | None = None
    backoff_coefficient: Annotated[float, Field(ge=1, le=100)] | None = None
    non_retryable_errors: Annotated[list[Text], Field(max_length=64)] | None = None


class SessionSettings(Model):
    """How sessions follow changes of the Agent.

    Attributes:
        on_config_change: ``NextTurn``: a running session has the change with its next turn. ``Pin``: a session keeps
            the Agent it began with.
    """

    on_config_change: Literal["NextTurn", "Pin"] = "NextTurn"


class AgentSpec(Model):
    """What an agent is.

    Attributes:
        description: what it is for, for people: ``kubectl get agents -o wide`` shows it. Models are told what
            the agents that use it say of it.
        instructions: the system prompt.
        instructions_from: where the system prompt is.
        instructions_function: a function that returns the system prompt, given ``context_variables`` if it asks.
        model: which model, and how it is called.
        tools: what it may use.
        parallel_tool_calls: whether several calls of one model turn run at the same time.
        handoffs: the agents that it may hand the conversation over to.
        context_variables: what a new session begins with, for functions and instructions.
        output_schema: JSON schema of an object that the answer has to be.
        limits: what one run may take.
        history: what a session keeps.
        retry: time-outs and retries of model calls and tool calls.
        session: how sessions follow changes.
        worker: what it runs on, if not on a pool.
        worker_pool_ref: the WorkerPool that it runs on.
    """

    rules = (
        exactly_one(
            "instructions",
            "instructionsFrom",
            "instructionsFunction",
            message="give exactly one of instructions, instructionsFrom and instructionsFunction: what it is told",
        ),
        at_most_one("worker", "workerPoolRef", message="give worker or workerPoolRef, not both: an agent runs on one"),
        Rule(
            cel=(
                "!has(self.tools) || self.tools.filter(tool,"
                " has(tool.retriever) && !has(tool.retriever.description)).size() <= 1"
            ),
            holds=lambda data: (
                sum(
                    is_given(tool, "retriever") and not is_given(tool, "retriever", "description")
                    for tool in data.get("tools") or ()
                )
                <= 1
            ),
            message="each question is looked up in one place; give the other retrievers a description, as tools",
            at="tools",
        ),
    )

    description: Annotated[str, Field(max_length=4096)] | None = None
    instructions: Annotated[str, Field(min_length=1, max_length=INSTRUCTIONS_LENGTH)] | None = None
    instructions_from: InstructionsSource | None = None
    instructions_function: FunctionName | None = None
    model: ModelSpec
    tools: Annotated[list[Tool], Field(max_length=128)] = Field(default=[])
    parallel_tool_calls: bool = True
    handoffs: Annotated[list[Handoff], Field(max_length=64)] = Field(default=[])
    context_variables: AnyObject = Field(default={})
    output_schema: AnyObject | None = None
    limits: Limits = Limits()
    history: History = History()
    retry: Retry = Retry()
    session: SessionSettings = SessionSettings()
    worker: WorkerSpec | None = None
    worker_pool_ref: WorkerPoolRef | None = None


class AgentStatus(WorkerStatus):
    """State of an Agent.

    Attributes:
        task_queue: where its calls are done.
        tools: how many tools it has now.
        missing: what it refers to and is not there, as ``kind/name``.
    """

    task_queue: str | None = None
    tools: int | None = None
    missing: Annotated[list[str], Field(max_length=256)] | None = None


class Agent(Resource):
    """An LLM agent whose conversations cannot be lost.

    Attributes:
        api_version: of the schema.
        kind: of the object.
        metadata: name, namespace, labels, annotations. The name is that of its task queue, after the namespace's.
        spec: what the agent is.
        status: what the operator found.
    """

    listing: ClassVar[Listing] = Listing(
        plural="agents",
        short_names=("ag",),
        columns=(
            Column("Model", ".spec.model.name"),
            Column("Tools", ".status.tools", "integer"),
            Column("Workers", ".status.workers"),
            condition_column("Ready"),
            Column("Description", ".spec.description", wide=True),
            Column("Pool", ".spec.workerPoolRef.name", wide=True),
            Column("Queue", ".status.taskQueue", wide=True),
            Column("Revision", ".status.revision", wide=True),
            MESSAGE_COLUMN,
        ),
        selectable=(".spec.workerPoolRef.name", ".spec.model.provider"),
        replicas_path=".spec.worker.replicas",
    )

    api_version: Literal["rojak.dev/v1alpha1"] = API_VERSION
    kind: Literal["Agent"] = "Agent"
    spec: AgentSpec
    status: AgentStatus | None = None
