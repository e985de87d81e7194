"""One attempt at a model call: counted, traced, and its failure judged."""

from __future__ import annotations

import logging

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from rojak.agents.base import AgentActivities, CompletionRequest
from rojak.agents.errors import ProviderFailure
from rojak.telemetry.calls import ModelCallMeter
from rojak.telemetry.spans import chat_span
from rojak.types.errors import ConfigurationError
from rojak.types.messages import ConversationMessage, Usage

logger = logging.getLogger(__name__)

#: Bytes of text that one answer may have; the session as a whole could not carry much more.
MAX_ANSWER_BYTES = 512 * 1024


async def complete(provider: AgentActivities, completion: CompletionRequest) -> ConversationMessage:
    """The model's reply; the attempt is counted and traced.

    Raises:
        ApplicationError: the provider failed, or answered with more than a session can carry.
    """
    meter = ModelCallMeter(completion.agent.name, completion.agent.model)
    span_of_call = chat_span(
        provider=provider.provider_name,
        model=completion.agent.model,
        agent=completion.agent.name,
        session_id=activity.info().workflow_id or "",
        base_url=provider.options.base_url,
        parameters=provider.options.inference_config,
    )
    with meter.measuring(), span_of_call as span:
        span.set_input(completion.instructions, completion.messages, completion.tools)
        try:
            reply = await _call_provider(provider, completion, meter)
        finally:
            if meter.error is not None:
                span.fail(meter.error)
        meter.usage = reply.usage or Usage()
        span.set_reply(reply, "tool_calls" if reply.tool_calls else "stop")
    size = len(reply.text.encode())
    if size > MAX_ANSWER_BYTES:
        raise ApplicationError(
            f"the model's answer has {size} bytes; at most {MAX_ANSWER_BYTES} fit into a session",
            type="PayloadTooLargeError",
            non_retryable=True,
        )
    return reply


async def _call_provider(
    provider: AgentActivities, completion: CompletionRequest, meter: ModelCallMeter
) -> ConversationMessage:
    try:
        return await provider.complete(completion)
    except ConfigurationError as error:
        meter.error = type(error).__name__
        raise refuse(error) from None
    # Whatever else a provider's code raises is for its classifier to judge.
    except Exception as error:
        failure = provider.classify(error)
        if failure is None:
            failure = ProviderFailure(error_type=type(error).__name__, message=str(error), retryable=True)
        meter.error = failure.error_type
        # By its type alone: the text may quote the conversation.
        logger.warning(
            "model call of agent %r failed: %s (%s)",
            completion.agent.name,
            failure.error_type,
            "may be tried again" if failure.retryable else "not worth another try",
            exc_info=error if logger.isEnabledFor(logging.DEBUG) else None,
        )
        raise failed(failure) from None


def failed(failure: ProviderFailure) -> ApplicationError:
    """The failure for Temporal. Benign, because it was logged here, and Temporal's own log would quote its text."""
    return ApplicationError(
        failure.message,
        type=failure.error_type,
        non_retryable=not failure.retryable,
        next_retry_delay=failure.retry_after,
        category=ApplicationErrorCategory.BENIGN,
    )


def refuse(error: ConfigurationError) -> ApplicationError:
    """What no other attempt can mend."""
    logger.warning("model call refused: %s", error)
    return failed(ProviderFailure(error_type=type(error).__name__, message=str(error), retryable=False))
