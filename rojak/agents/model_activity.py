"""The activity that lets a model go on with a conversation."""

from __future__ import annotations

import logging
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from temporalio import activity

from rojak.agents.base import AgentActivities, CompletionRequest
from rojak.agents.catalogs import CatalogDesk, CatalogSource
from rojak.agents.completion import complete, failed, refuse
from rojak.agents.errors import ProviderFailure
from rojak.agents.interrupts import InterruptCheck
from rojak.agents.named import NamedAgents
from rojak.agents.outputs import check_is_schema, find_problem, output_instructions, strip_fence
from rojak.agents.streaming import HeartbeatSink, TextProgress, TextSink
from rojak.agents.toolbox import offer_tools
from rojak.agents.windows import WindowCache
from rojak.session.limits import RETRIEVAL_QUERY_CHARACTERS
from rojak.tools.heartbeat import Heartbeat, heartbeating
from rojak.tools.instructions import resolve_instructions
from rojak.tools.session_queries import fetch_catalog, fetch_frame, fetch_window
from rojak.types.activities import (
    CALL_MODEL,
    ModelReply,
    ModelRequest,
    OutputProblem,
    Refreshed,
    RetrieveResult,
    digest_agent,
)
from rojak.types.agent import Agent, AgentRef
from rojak.types.catalog import ToolCatalog
from rojak.types.errors import ConfigurationError
from rojak.types.messages import ConversationMessage
from rojak.types.retriever import Retriever

logger = logging.getLogger(__name__)

#: Large agents that a worker remembers by their digest.
MAX_KNOWN_AGENTS = 256
#: Asks a retriever; whatever fails is a result.
LookUp = Callable[[Retriever, str], Awaitable[RetrieveResult]]


class ModelActivity:
    """Dispatches model calls to the provider that serves the agent's type."""

    def __init__(
        self,
        providers: Mapping[str, AgentActivities],
        sink: TextSink | None = None,
        named: NamedAgents | None = None,
        mcp_tools: CatalogSource | None = None,
        look_up: LookUp | None = None,
    ) -> None:
        self._providers = providers
        self._look_up = look_up
        self._named = named or NamedAgents()
        self._sink = sink or HeartbeatSink()
        self._windows = WindowCache()
        self._catalogs = CatalogDesk(mcp_tools)
        self._interrupts = InterruptCheck()
        self._agents: OrderedDict[str, Agent] = OrderedDict()

    @activity.defn(name=CALL_MODEL)
    async def call_model(self, request: ModelRequest) -> ModelReply:
        """Complete the conversation with one message.

        Raises:
            ApplicationError: the provider failed (its type is the name of the provider's exception), or the agent
                is set up in a way that cannot work (not retried).
        """
        info = activity.info()
        session_id = info.workflow_id or ""
        async with heartbeating() as heartbeat:
            agent, refreshed = self._refresh(await self._find_agent(request), request)
            provider = find_provider(self._providers, agent)
            catalog, new_catalog = await self._find_tools(agent, request)
            messages = await self._windows.read(session_id, request.window, fetch_window)
            retrieved = await self._look_up_first(agent, request, messages) if refreshed is not None else None
            instructions = await self._instructions(agent, provider, request, retrieved)
            is_native = _keeps_to_schema(agent, provider)
            if agent.output_schema is not None and not is_native:
                instructions = f"{instructions}\n\n{output_instructions(agent.output_schema)}"
            completion = CompletionRequest(
                agent=agent,
                instructions=instructions,
                messages=messages,
                tools=self._offer_tools(agent, provider, catalog),
                on_text=self._open_sink(request, heartbeat),
                output_schema=agent.output_schema if is_native else None,
            )
            reply = await complete(provider, completion)
        reply, problem = _judge(agent.name, reply, agent.output_schema)
        # The session knows who speaks.
        reply = reply.model_copy(update={"id": f"{random.getrandbits(32):08x}", "sender": None})
        self._windows.remember(session_id, request.window.start, [*messages, reply])
        fields: dict[str, Any] = {name: getattr(reply, name) for name in reply.model_fields_set - {"sender"}}
        if problem is not None:
            fields["problem"] = problem
        if new_catalog is not None:
            refreshed = (refreshed or Refreshed()).model_copy(update={"catalog": new_catalog})
        if refreshed is not None:
            if retrieved is not None:
                refreshed = refreshed.model_copy(update={"retrieved": retrieved})
            fields["refreshed"] = refreshed
        return ModelReply.model_construct(**fields)

    def _refresh(self, agent: Agent, request: ModelRequest) -> tuple[Agent, Refreshed | None]:
        """The agent as it is now, where it comes by name, and what the session is to learn of it."""
        if isinstance(agent, AgentRef):
            try:
                return self._named.get(agent.name), Refreshed(agent=self._named.get(agent.name))
            except ConfigurationError as error:
                raise refuse(error) from None
        # What a worker does not know any more goes on as the session knows it.
        current = None if request.refresh is None else self._named.find(agent.name)
        if current is None or current.revision == request.refresh:
            return agent, None
        return current, Refreshed(agent=current)

    async def _look_up_first(
        self, agent: Agent, request: ModelRequest, messages: Sequence[ConversationMessage]
    ) -> RetrieveResult | None:
        """What the agent's retriever finds, where the session could not ask it: it did not know of it."""
        if self._look_up is None or agent.retriever is None or request.fetch_retrieved or request.retrieved:
            return None
        said = next((message.text for message in reversed(messages) if message.role == "user"), "")
        if not said.strip():
            return None
        return await self._look_up(agent.retriever, said[:RETRIEVAL_QUERY_CHARACTERS])

    async def _find_tools(self, agent: Agent, request: ModelRequest) -> tuple[ToolCatalog | None, ToolCatalog | None]:
        try:
            return await self._catalogs.find(agent, request, fetch_catalog)
        except ConfigurationError as error:
            raise refuse(error) from None

    async def _find_agent(self, request: ModelRequest) -> Agent:
        """The agent as sent, as remembered, or as the session has it."""
        key, agent = request.agent_key, request.agent
        if agent is not None:
            key = digest_agent(agent)
        elif key is not None:
            agent = self._agents.get(key)
        if agent is None:
            agent = (await fetch_frame()).agent
        if key is not None:
            self._agents[key] = agent
            self._agents.move_to_end(key)
            while len(self._agents) > MAX_KNOWN_AGENTS:
                self._agents.popitem(last=False)
        return agent

    async def _instructions(
        self, agent: Agent, provider: AgentActivities, request: ModelRequest, found: RetrieveResult | None
    ) -> str:
        if isinstance(agent.instructions, str):
            text = agent.instructions
        else:
            context = request.context_variables
            # The session sends none to an agent of which it does not know yet that it has use for them.
            if request.fetch_context or (request.refresh and not context):
                context = (await fetch_frame()).context_variables
            context = {**agent.context_variables, **context}
            try:
                text = await resolve_instructions(agent, provider.functions, context)
            except ConfigurationError as error:
                raise refuse(error) from None
            # It is the user's code and may raise anything. Another attempt is for those who asked for one.
            except Exception as error:
                logger.warning("instructions of agent %r failed: %s", agent.name, type(error).__name__, exc_info=error)
                wants_retry = agent.retry_options.retry_policy is not None
                failure = ProviderFailure(error_type=type(error).__name__, message=str(error), retryable=wants_retry)
                raise failed(failure) from None
        if found is not None:
            retrieved = found.text
        else:
            retrieved = (await fetch_frame()).retrieved if request.fetch_retrieved else request.retrieved
        return f"{text}\n\nRetrieved context:\n{retrieved}" if retrieved else text

    def _offer_tools(
        self, agent: Agent, provider: AgentActivities, catalog: ToolCatalog | None
    ) -> list[dict[str, Any]]:
        try:
            tools = offer_tools(agent, provider.functions, catalog)
            if agent.interrupts:
                self._interrupts.check(
                    agent,
                    offered=[tool["function"]["name"] for tool in tools],
                    registered=list(provider.functions),
                    servers=self._catalogs.servers_of(agent),
                    unsure=self._catalogs.unsure_of(agent, catalog),
                )
        except ConfigurationError as error:
            raise refuse(error) from None
        return tools

    def _open_sink(self, request: ModelRequest, heartbeat: Heartbeat) -> Callable[[str], None] | None:
        if request.stream is None:
            return None
        info = activity.info()
        position = TextProgress(
            session_id=info.workflow_id or "",
            turn=request.stream.turn,
            step=request.stream.step,
            attempt=info.attempt,
        )
        return self._sink.open(position, heartbeat)


def find_provider(providers: Mapping[str, AgentActivities], agent: Agent) -> AgentActivities:
    """The activities that serve an agent.

    Raises:
        ApplicationError: there are none.
    """
    provider = providers.get(agent.type)
    if provider is None:
        known = ", ".join(sorted(providers)) or "none"
        raise refuse(
            ConfigurationError(
                f"agent {agent.name!r} has type {agent.type!r}, which this worker does not serve (it serves:"
                f" {known}); add that type's activities to create_worker([...])"
            )
        )
    return provider


def _keeps_to_schema(agent: Agent, provider: AgentActivities) -> bool:
    """Whether it is the provider that makes the answer fit, rather than the instructions."""
    schema = agent.output_schema
    if schema is None:
        return False
    try:
        check_is_schema(schema)
    except ConfigurationError as error:
        raise refuse(error) from None
    return agent.output_mode == "native" and provider.keeps_to_schemas(schema)


def _judge(
    name: str, reply: ConversationMessage, schema: dict[str, Any] | None
) -> tuple[ConversationMessage, OutputProblem | None]:
    """The reply, with an answer that fits the schema as plain JSON; else with what is wrong with it."""
    if schema is None or reply.tool_calls:
        return reply, None
    text = strip_fence(reply.text)
    answer = reply if text == reply.text else reply.model_copy(update={"content": text})
    problem = find_problem(text, schema)
    if problem is not None:
        field = problem.field or "the answer as a whole"
        logger.warning("an answer of agent %r does not fit its schema: %s, rule %r", name, field, problem.rule)
    return answer, problem
