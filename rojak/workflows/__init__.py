"""The Temporal shell around a session, and what callers give to it."""

from rojak.types.session import (
    OrchestratorResponse,
    ResumeRequest,
    ResumeResponse,
    TaskParams,
    UpdateConfigParams,
)
from rojak.workflows.orchestrator import OrchestratorWorkflow

__all__ = [
    "OrchestratorResponse",
    "OrchestratorWorkflow",
    "ResumeRequest",
    "ResumeResponse",
    "TaskParams",
    "UpdateConfigParams",
]
