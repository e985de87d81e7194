"""Rojak: LLM agents that cannot be lost.

An agent's conversation is a Temporal workflow: every answer of a model and every result of a tool is recorded before
the next step, so any process may die at any moment and the run goes on where it was.
"""

from temporalio.client import ScheduleIntervalSpec, ScheduleSpec

from rojak.client import Rojak, RunResponse
from rojak.types import (
    AgentTool,
    Interrupt,
    LimitReached,
    OrchestratorResponse,
    ResumeRequest,
    ResumeResponse,
    TaskParams,
    UpdateConfigParams,
)
from rojak.worker import RojakPlugin, RojakWorker

__all__ = [
    "AgentTool",
    "Interrupt",
    "LimitReached",
    "OrchestratorResponse",
    "ResumeRequest",
    "ResumeResponse",
    "Rojak",
    "RojakPlugin",
    "RojakWorker",
    "RunResponse",
    "ScheduleIntervalSpec",
    "ScheduleSpec",
    "TaskParams",
    "UpdateConfigParams",
]
