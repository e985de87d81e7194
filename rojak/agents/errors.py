"""Failures of providers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class ProviderFailure:
    error_type: str
    message: str
    retryable: bool
    retry_after: timedelta | None = None
