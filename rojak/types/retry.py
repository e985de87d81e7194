"""How long to wait for a model call or a tool call, and how often to try it again."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

#: Ten years: more than anybody waits, and what time-outs in a workflow can be.
LONGEST_SECONDS = 10 * 365 * 24 * 3600.0


class RetryPolicy(BaseModel):
    """When a failed call is tried again; the terms and meanings are Temporal's.

    Attributes:
        initial_interval_in_seconds: pause before the second attempt.
        backoff_coefficient: factor by which each pause is longer than the one before.
        maximum_interval_in_seconds: longest pause; None means 100 times the initial one.
        maximum_attempts: attempts in all, the first included; 0 means no limit.
        non_retryable_error_types: names of exception classes that are not worth another attempt.
    """

    model_config = ConfigDict(extra="forbid")

    initial_interval_in_seconds: float = Field(default=1.0, gt=0, le=LONGEST_SECONDS)
    backoff_coefficient: float = Field(default=2.0, ge=1, le=1000)
    maximum_interval_in_seconds: float | None = Field(default=None, gt=0, le=LONGEST_SECONDS)
    maximum_attempts: int = Field(default=0, ge=0, le=1_000_000)
    non_retryable_error_types: list[str] | None = None


class RetryOptions(BaseModel):
    """Limits of one model call or one tool call of an agent.

    Attributes:
        timeout_in_seconds: how long one attempt may take. A tool that takes longer is an error to the model.
        retry_policy: None means: a model call is tried a few times where another attempt can help, and a tool's
            own exception goes to the model at once. With a policy both are tried as it says.
    """

    model_config = ConfigDict(extra="forbid")

    timeout_in_seconds: float = Field(default=60.0, gt=0, le=LONGEST_SECONDS)
    retry_policy: RetryPolicy | None = None
