"""Traces of a process: turns, model calls, tool calls and hand-offs, sent to an OTLP endpoint.

A turn's span is made when the turn ends, by whichever process that is; its identifiers come from the session's id and
the task's. So a turn that takes weeks, and outlives processes, has one span, and all calls of it are below that.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import temporalio.activity
import temporalio.worker
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadConverter

from rojak.telemetry.spans import OTLP_ENDPOINTS, use_span_tracer

#: The header in which Temporal's own tracing carries its context, in the same form.
HEADER = "_tracer-data"
_PROPAGATOR = TraceContextTextMapPropagator()
_preset: ContextVar[tuple[int, int] | None] = ContextVar("rojak_preset_ids", default=None)


def wants_tracing(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether an endpoint is set, and nobody said that traces are not wanted."""
    is_off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none"
    return not is_off and any(environ.get(name) for name in OTLP_ENDPOINTS)


class Tracing:
    """Traces of this process, from now until `stop`.

    Args:
        service_name: of the process, unless OTEL_SERVICE_NAME says otherwise.
        processor: takes the spans; OpenTelemetry's OTLP exporter over HTTP, set up by its environment variables, when
            left out.
    """

    def __init__(self, service_name: str, processor: SpanProcessor | None = None) -> None:
        if processor is None:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            processor = BatchSpanProcessor(OTLPSpanExporter())
        resource = Resource.create({} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": service_name})
        self._provider = TracerProvider(resource=resource, id_generator=_PresetIds(), shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("rojak")
        use_span_tracer(self._tracer)

    def interceptor(self) -> temporalio.worker.Interceptor:
        """For workers: carries the context from sessions to the calls that they make."""
        return _Interceptor()

    def stop(self) -> None:
        """Send what is left, within the exporter's time limit, and trace no more."""
        use_span_tracer(None)
        self._provider.shutdown()

    def turn_ended(self, turn: Any) -> None:
        """Make the span of a turn (`rojak.workflows.tracing.EndedTurn`)."""
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": turn.agent,
            "gen_ai.conversation.id": turn.session_id,
            "gen_ai.usage.input_tokens": turn.usage.input_tokens,
            "gen_ai.usage.output_tokens": turn.usage.output_tokens,
            "rojak.turn": turn.number,
            "rojak.outcome": turn.outcome,
        }
        if turn.error_type is not None:
            attributes["error.type"] = turn.error_type
        ids = trace.get_current_span(_extract(turn.traceparent)).get_span_context()
        token = _preset.set((ids.trace_id, ids.span_id))
        try:
            span = self._tracer.start_span(
                f"invoke_agent {turn.agent}",
                context=_extract(turn.parent) if turn.parent else Context(),
                kind=SpanKind.INTERNAL,
                attributes=attributes,
                start_time=int(turn.began * 1e9),
            )
        finally:
            _preset.reset(token)
        if turn.outcome == "failed":
            span.set_status(StatusCode.ERROR)
        span.end(end_time=int(turn.ended * 1e9))

    def handed_over(self, handoff: Any) -> None:
        """Make the span of a hand-off (`rojak.workflows.tracing.HandedOver`)."""
        at = int(handoff.at * 1e9)
        attributes = {
            "gen_ai.operation.name": "handoff",
            "gen_ai.agent.name": handoff.from_agent,
            "rojak.handoff.to": handoff.to_agent,
            "gen_ai.conversation.id": handoff.session_id,
        }
        self._tracer.start_span(
            f"handoff {handoff.to_agent}",
            context=_extract(handoff.traceparent),
            attributes=attributes,
            start_time=at,
        ).end(end_time=at)


class _PresetIds(IdGenerator):
    """Random identifiers, except for spans whose identifiers were known before."""

    def __init__(self) -> None:
        self._random = RandomIdGenerator()

    def generate_span_id(self) -> int:
        preset = _preset.get()
        return self._random.generate_span_id() if preset is None else preset[1]

    def generate_trace_id(self) -> int:
        preset = _preset.get()
        return self._random.generate_trace_id() if preset is None else preset[0]


def _extract(traceparent: str) -> Context:
    return _PROPAGATOR.extract({"traceparent": traceparent}, context=Context())


class _Interceptor(temporalio.worker.Interceptor):
    def intercept_activity(
        self,
        next: temporalio.worker.ActivityInboundInterceptor,  # noqa: A002 - Temporal's name for it
    ) -> temporalio.worker.ActivityInboundInterceptor:
        return _ActivityInbound(next)

    def workflow_interceptor_class(
        self,
        input: temporalio.worker.WorkflowInterceptorClassInput,  # noqa: A002
    ) -> type[temporalio.worker.WorkflowInboundInterceptor]:
        return _WorkflowInbound


class _ActivityInbound(temporalio.worker.ActivityInboundInterceptor):
    async def execute_activity(self, input: temporalio.worker.ExecuteActivityInput) -> Any:  # noqa: A002
        traceparent = _read_header(input.headers)
        if traceparent is None:
            return await self.next.execute_activity(input)
        token = otel_context.attach(_extract(traceparent))
        try:
            return await self.next.execute_activity(input)
        finally:
            otel_context.detach(token)


class _WorkflowInbound(temporalio.worker.WorkflowInboundInterceptor):
    def init(self, outbound: temporalio.worker.WorkflowOutboundInterceptor) -> None:
        super().init(_WorkflowOutbound(outbound))


class _WorkflowOutbound(temporalio.worker.WorkflowOutboundInterceptor):
    def start_activity(self, input: temporalio.worker.StartActivityInput) -> workflow.ActivityHandle[Any]:  # noqa: A002
        context = getattr(workflow.instance(), "trace_context", None)
        traceparent = context() if context is not None else None
        if traceparent is not None and HEADER not in input.headers:
            payload = PayloadConverter.default.to_payloads([{"traceparent": traceparent}])[0]
            input.headers = {**input.headers, HEADER: payload}
        return self.next.start_activity(input)


def _read_header(headers: Mapping[str, Payload]) -> str | None:
    payload = headers.get(HEADER)
    if payload is None:
        return None
    carrier = PayloadConverter.default.from_payloads([payload])[0]
    found = carrier.get("traceparent") if isinstance(carrier, dict) else None
    return found if isinstance(found, str) else None
