"""Time-outs and retries of activities, from the options that users give: the one place that makes them."""

from __future__ import annotations

from datetime import timedelta
from typing import TypedDict

import temporalio.common

from rojak.types.agent import Agent, AgentRef
from rojak.types.retriever import Retriever
from rojak.types.retry import RetryOptions, RetryPolicy

#: A worker that has not been heard of for this long has died; its activities are given to another one.
HEARTBEAT_TIMEOUT = timedelta(seconds=5)
#: How much longer than the call itself an activity may take: to fetch the conversation and to report.
OVERHEAD = timedelta(seconds=10)
#: A model call by default: another attempt where it can help, and an end within about half a minute.
MODEL_RETRY = RetryPolicy(maximum_attempts=6, maximum_interval_in_seconds=15)
#: A model call of an agent whose own limit is not known yet; a worker that died is noticed by its heartbeats.
UNKNOWN_TIMEOUT = timedelta(hours=1)
#: A tool call by default: its own exceptions are answers, so what is tried again is a worker that died.
TOOL_RETRY = RetryPolicy(maximum_attempts=3, initial_interval_in_seconds=0.5)
#: A summary by default: nobody waits for it for long, and the next turn's end is another occasion.
SUMMARY_RETRY = RetryPolicy(maximum_attempts=2)
#: A retrieval by default: over within seconds, because the turn goes on without it.
RETRIEVAL_RETRY = RetryPolicy(maximum_attempts=2, initial_interval_in_seconds=0.5)
#: How much longer than the look-up itself its activity may take.
RETRIEVAL_OVERHEAD = timedelta(seconds=1)


class ActivityOptions(TypedDict):
    """The options that every activity of a session is started with."""

    start_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: temporalio.common.RetryPolicy


def build_retry_policy(policy: RetryPolicy) -> temporalio.common.RetryPolicy:
    """The policy in Temporal's form."""
    longest = policy.maximum_interval_in_seconds
    return temporalio.common.RetryPolicy(
        initial_interval=timedelta(seconds=policy.initial_interval_in_seconds),
        backoff_coefficient=policy.backoff_coefficient,
        # Temporal refuses a longest pause that is shorter than the first one.
        maximum_interval=None
        if longest is None
        else timedelta(seconds=max(longest, policy.initial_interval_in_seconds)),
        maximum_attempts=policy.maximum_attempts,
        non_retryable_error_types=policy.non_retryable_error_types,
    )


def build_activity_options(options: RetryOptions, default: RetryPolicy) -> ActivityOptions:
    """Options of a call that the user limits with ``options``; ``default`` is for a user who gave no policy."""
    return {
        "start_to_close_timeout": timedelta(seconds=options.timeout_in_seconds) + OVERHEAD,
        "heartbeat_timeout": HEARTBEAT_TIMEOUT,
        "retry_policy": build_retry_policy(options.retry_policy or default),
    }


def build_model_options(agent: Agent) -> ActivityOptions:
    """Options of a model call. Of an agent that is only a name the session does not know the limits yet: its worker
    keeps them.
    """
    options = build_activity_options(agent.retry_options, MODEL_RETRY)
    if isinstance(agent, AgentRef):
        options["start_to_close_timeout"] = UNKNOWN_TIMEOUT
    return options


def retrieval_activity_options(retriever: Retriever) -> ActivityOptions:
    """Options of a retrieval."""
    return {
        "start_to_close_timeout": timedelta(seconds=retriever.timeout_in_seconds) + RETRIEVAL_OVERHEAD,
        "heartbeat_timeout": HEARTBEAT_TIMEOUT,
        "retry_policy": build_retry_policy(RETRIEVAL_RETRY),
    }
