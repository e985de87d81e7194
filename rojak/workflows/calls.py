"""The calls that a session makes: activities with their inputs, and failures turned into outcomes."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from temporalio import exceptions, workflow
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError, FailureError

from rojak.session.compaction import build_summary_agent, policy_of, render_conversation
from rojak.session.limits import INLINE_BYTES, RETRIEVAL_QUERY_CHARACTERS, size_of
from rojak.session.named import hand_over
from rojak.session.routes import AgentRoute, FunctionRoute, HandOffRoute, MCPRoute, RetrieverRoute
from rojak.session.state import SessionState, Summary
from rojak.session.steps import ModelReplied, Retrieved, Summarise, Summarised, SummaryFailed, ToolsAnswered, TurnFailed
from rojak.session.transcript import build_window, read_window
from rojak.session.turn import CallOutcome, PendingCall, Turn
from rojak.session.turns import active_agent, current_turn
from rojak.types.activities import (
    CALL_MCP_TOOL,
    CALL_MODEL,
    CALL_TOOL,
    RETRIEVE,
    SUMMARISE,
    MCPToolRequest,
    ModelReply,
    ModelRequest,
    RetrieveRequest,
    RetrieveResult,
    StreamPosition,
    SummaryRequest,
    SummaryResult,
    ToolFailed,
    ToolOutcome,
    ToolRequest,
    ToolReturned,
    digest_agent,
)
from rojak.types.agent import Agent, AgentRef
from rojak.types.retriever import Retriever, RetrieverTool
from rojak.types.retry import RetryOptions
from rojak.workflows.metrics import count_retrieval, count_tool_call
from rojak.workflows.options import (
    SUMMARY_RETRY,
    TOOL_RETRY,
    build_activity_options,
    build_model_options,
    retrieval_activity_options,
)


class SessionCalls:
    """Makes the calls of one run of a session's workflow, and remembers which agents it sent already."""

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self._keyed: Agent | None = None
        self._key = ""
        self._sent_keys: set[str] = set()
        self._finished: dict[str, CallOutcome] = {}

    async def call_model(self) -> ModelReplied | TurnFailed:
        """Let the active agent's model go on."""
        state, agent, turn = self._state, active_agent(self._state), current_turn(self._state)
        fields: dict[str, Any] = {"window": build_window(state)}
        key = self._agent_key(agent)
        if key in self._sent_keys:
            fields["agent_key"] = key
        else:
            fields["agent"] = agent
        if isinstance(agent, AgentRef) or not isinstance(agent.instructions, str):
            fields.update(self._context_field())
        if turn.retrieved:
            # All calls of the turn need it. What is large is in the history once, as the result of the retrieval.
            large = len(turn.retrieved.encode()) > INLINE_BYTES
            fields.update({"fetch_retrieved": True} if large else {"retrieved": turn.retrieved})
        if turn.refresh:
            fields["refresh"] = agent.revision or ""
        if turn.stream:
            fields["stream"] = StreamPosition(turn=turn.number, step=turn.step)
        if state.catalog is not None and state.catalog.tools:
            fields["catalog"] = state.catalog.digest
            if turn.step == 0 or _was_handed_over(state, turn):
                fields["list_tools"] = True
        try:
            reply = await workflow.execute_activity(
                CALL_MODEL,
                ModelRequest(**fields),
                result_type=ModelReply,
                task_queue=agent.task_queue,
                summary=f"{agent.name}: chat {agent.model}".rstrip(),
                **build_model_options(agent),
            )
        except ActivityError as error:
            failure = _describe(error)
            return TurnFailed(error_type=failure.error_type, reason=failure.message)
        self._sent_keys.add(key)
        if (news := reply.refreshed) is not None and news.agent and news.agent.retriever and news.retrieved:
            count_retrieval(news.agent.retriever, news.retrieved)
        return ModelReplied(
            message=reply.message(), now=workflow.time(), refreshed=reply.refreshed, problem=reply.problem
        )

    async def call_tools(self, calls: list[PendingCall]) -> ToolsAnswered:
        """Make the calls at the same time."""
        self._finished = {}
        await asyncio.gather(*(self._call_and_note(pending) for pending in calls))
        return ToolsAnswered(self.take_finished())

    def take_finished(self) -> dict[str, CallOutcome]:
        """Outcomes by id of the call, as far as there are any: those of calls that others were broken off with."""
        finished, self._finished = self._finished, {}
        return finished

    async def _call_and_note(self, pending: PendingCall) -> None:
        agent = active_agent(self._state)
        outcome = self._finished[pending.call.id] = await self._call_tool(pending)
        count_tool_call(agent.name, pending, outcome)

    async def _call_tool(self, pending: PendingCall) -> CallOutcome:
        match pending.route:
            case FunctionRoute():
                return await self._call_function(pending)
            case HandOffRoute():
                return hand_over(active_agent(self._state), pending.call.function.name)
            case AgentRoute():
                raise RuntimeError("agents are called in sessions of their own")
            case RetrieverRoute():
                return await self._call_retriever(pending)
            case MCPRoute():
                return await self._call_mcp_tool(pending, pending.route)

    async def _call_function(self, pending: PendingCall) -> CallOutcome:
        agent = active_agent(self._state)
        fields = self._call_fields(pending) | self._context_field()
        return await self._execute_tool(CALL_TOOL, ToolRequest(agent_type=agent.type, **fields))

    async def _call_mcp_tool(self, pending: PendingCall, route: MCPRoute) -> CallOutcome:
        request = MCPToolRequest(server=route.server, tool=route.tool, **self._call_fields(pending))
        return await self._execute_tool(CALL_MCP_TOOL, request)

    def _call_fields(self, pending: PendingCall) -> dict[str, Any]:
        """What the requests of all kinds of tools say of a call."""
        agent, call = active_agent(self._state), pending.call
        fields: dict[str, Any] = {
            "agent_name": agent.name,
            "call_id": call.id,
            "name": call.function.name,
            "arguments": pending.final_arguments,
        }
        # What has its default is left out: all of this stays in the history.
        if (turn := current_turn(self._state).number) != 1:
            fields["turn"] = turn
        if (limits := agent.retry_options) != RetryOptions():
            fields["timeout_in_seconds"] = limits.timeout_in_seconds
            fields["raise_errors"] = limits.retry_policy is not None
        return fields

    async def _execute_tool(self, activity_name: str, request: ToolRequest | MCPToolRequest) -> CallOutcome:
        agent = active_agent(self._state)
        try:
            outcome = await workflow.execute_activity(
                activity_name,
                request,
                result_type=cast("type[Any]", ToolOutcome),
                task_queue=agent.task_queue,
                summary=f"{agent.name}: execute_tool {request.name}",
                **build_activity_options(agent.retry_options, TOOL_RETRY),
            )
        except ActivityError as error:
            failure = _describe(error)
            return failure.model_copy(update={"message": f"{failure.error_type}: {failure.message}"})
        return cast("CallOutcome", outcome)

    async def summarise(self, step: Summarise) -> Summarised | SummaryFailed:
        """Let the active agent's model summarise old messages. A failure changes nothing."""
        agent, policy = active_agent(self._state), policy_of(self._state)
        fields: dict[str, Any] = {}
        if policy is not None and policy.instructions is not None:
            fields["instructions"] = policy.instructions
        messages = read_window(self._state, step.start, step.end)
        lean = build_summary_agent(agent, policy.model if policy is not None else None)
        try:
            result = await workflow.execute_activity(
                SUMMARISE,
                SummaryRequest(agent=lean, conversation=render_conversation(messages), **fields),
                result_type=SummaryResult,
                task_queue=agent.task_queue,
                summary=f"{agent.name}: summarise {lean.model}",
                **build_activity_options(agent.retry_options, SUMMARY_RETRY),
            )
        except ActivityError as error:
            failure = _describe(error)
            workflow.logger.warning("old messages were not summarised, they stay: %s", failure.error_type)
            return SummaryFailed(failure.error_type)
        return Summarised(Summary(start=step.start, end=step.end, text=result.text, usage=result.usage))

    async def retrieve(self, query: str) -> Retrieved:
        """Ask the active agent's retriever. A failure is no failure of the turn."""
        agent = active_agent(self._state)
        if agent.retriever is None:
            return Retrieved(RetrieveResult())
        result = await self._look_up(agent, agent.retriever, query)
        if result.error_type is not None:
            workflow.logger.warning(
                "retrieval failed, agent %r goes on without it: %s: %s", agent.name, result.error_type, result.reason
            )
        return Retrieved(result)

    async def _call_retriever(self, pending: PendingCall) -> CallOutcome:
        """Ask a retriever for what the model looks for. Here a failure is an answer: the model may try otherwise."""
        agent, call = active_agent(self._state), pending.call
        tool = agent.find_tool(call.function.name)
        if not isinstance(tool, RetrieverTool):
            raise RuntimeError(f"{call.function.name} is no retriever")
        try:
            query = tool.read_query(pending.final_arguments)
        except ValueError as error:
            return ToolFailed(error_type="InvalidArgumentsError", message=str(error))
        result = await self._look_up(agent, tool.retriever, query[:RETRIEVAL_QUERY_CHARACTERS])
        if result.text is None:
            return ToolFailed(
                error_type=result.error_type or "RetrievalError", message=f"the look-up failed: {result.reason}"
            )
        return ToolReturned(output=result.text or "Nothing was found.")

    async def _look_up(self, agent: Agent, retriever: Retriever, query: str) -> RetrieveResult:
        """Ask a retriever, and count how it went; a failure is a result."""
        try:
            result: RetrieveResult = await workflow.execute_activity(
                RETRIEVE,
                RetrieveRequest(retriever=retriever, query=query),
                result_type=RetrieveResult,
                task_queue=agent.task_queue,
                summary=f"{agent.name}: retrieval {retriever.label}",
                **retrieval_activity_options(retriever),
            )
        except ActivityError as error:
            failure = _describe(error)
            result = RetrieveResult(error_type=failure.error_type, reason=failure.message)
        count_retrieval(retriever, result)
        return result

    def _context_field(self) -> dict[str, Any]:
        """The context variables as a field of a request, or the order to fetch them where they are large."""
        context = self._state.context_variables
        if not context:
            return {}
        return {"context_variables": context} if size_of(context) <= INLINE_BYTES else {"fetch_context": True}

    def _agent_key(self, agent: Agent) -> str:
        """Digest of the agent. It is sent once in a run of the workflow; workers know it by this from then on."""
        if agent is not self._keyed:
            self._keyed = agent
            self._key = digest_agent(agent)
        return self._key


def _was_handed_over(state: SessionState, turn: Turn) -> bool:
    """Whether the conversation has just come to an agent, whose worker may be another one with other servers."""
    return bool(turn.handoffs) and turn.handoffs[-1].index == state.end


def _describe(error: ActivityError) -> ToolFailed:
    """The cause of a failed activity by name and text; a cancellation is none of the call's business and goes on."""
    cause = error.cause
    match cause:
        case CancelledError():
            raise asyncio.CancelledError from error
        case ApplicationError():
            return ToolFailed(error_type=cause.type or "ApplicationError", message=cause.message)
        case exceptions.TimeoutError():
            return ToolFailed(
                error_type="TimeoutError",
                message="no attempt was finished in time (the worker died or the call took too long)",
            )
        case FailureError():
            return ToolFailed(error_type=type(cause).__name__, message=cause.message)
        case _:
            return ToolFailed(error_type="ActivityError", message=error.message)
