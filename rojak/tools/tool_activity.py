"""The activity that makes a tool call."""

from __future__ import annotations

from collections.abc import Mapping

from temporalio import activity

from rojak.telemetry.calls import measuring_tool_call
from rojak.telemetry.spans import tool_span
from rojak.tools.current import CallInfo, calling
from rojak.tools.execution import execute_function
from rojak.tools.heartbeat import heartbeating
from rojak.tools.registry import FunctionRegistry
from rojak.tools.session_queries import fetch_frame
from rojak.types.activities import CALL_TOOL, ToolFailed, ToolOutcome, ToolRequest
from rojak.types.errors import ConfigurationError


class ToolActivity:
    """Calls registered functions; ``registries`` are by agent type."""

    def __init__(self, registries: Mapping[str, FunctionRegistry]) -> None:
        self._registries = registries

    @activity.defn(name=CALL_TOOL)
    async def call_tool(self, request: ToolRequest) -> ToolOutcome:
        """Make the call. What goes wrong in it is an outcome, unless the user's retry policy is to see it."""
        info = activity.info()
        registry = self._registries.get(request.agent_type)
        try:
            if registry is None:
                raise ConfigurationError(f"this worker does not serve agents of type {request.agent_type!r}")
            spec = registry.get(request.name, agent_name=request.agent_name)
        except ConfigurationError as error:
            return ToolFailed(error_type=type(error).__name__, message=str(error))
        call = CallInfo(
            session_id=info.workflow_id or "",
            agent_name=request.agent_name,
            turn=request.turn,
            call_id=request.call_id,
            attempt=info.attempt,
        )
        context = request.context_variables
        async with heartbeating():
            if request.fetch_context:
                context = (await fetch_frame()).context_variables
            span_of_call = tool_span(
                tool=request.name,
                kind="function",
                agent=request.agent_name,
                session_id=call.session_id,
                call_id=request.call_id,
                arguments=request.arguments,
                description=spec.schema["function"].get("description"),
            )
            with calling(call), measuring_tool_call(request.agent_name, request.name), span_of_call as span:
                outcome = await execute_function(
                    spec,
                    request.arguments,
                    context,
                    timeout=request.timeout_in_seconds,
                    raise_errors=request.raise_errors,
                )
                if isinstance(outcome, ToolFailed):
                    span.fail(outcome.error_type)
                elif span.captures:
                    span.set(gen_ai__tool__call__result=outcome.output)
                return outcome
