"""Rojak: LLM agents that cannot be lost.

An agent's conversation is a Temporal workflow: every answer of a model and every result of a tool is recorded before
the next step, so any process may die at any moment and the run goes on where it was.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from temporalio.client import ScheduleIntervalSpec, ScheduleSpec

    from rojak.client import Rojak, RunResponse
    from rojak.types import (
        AgentTool,
        Compaction,
        ImagePart,
        Interrupt,
        LimitReached,
        OrchestratorResponse,
        ResumeRequest,
        ResumeResponse,
        TaskParams,
        TextPart,
        UpdateConfigParams,
    )
    from rojak.worker import RojakPlugin, RojakWorker

__all__ = [
    "AgentTool",
    "Compaction",
    "ImagePart",
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
    "TextPart",
    "UpdateConfigParams",
]

#: Where the names come from. They are fetched when they are asked for: what needs no more than a part of the package,
#: the command line above all, need not load Temporal's client first, which takes a second.
_HOMES = {
    "AgentTool": "rojak.types",
    "Compaction": "rojak.types",
    "ImagePart": "rojak.types",
    "Interrupt": "rojak.types",
    "LimitReached": "rojak.types",
    "OrchestratorResponse": "rojak.types",
    "ResumeRequest": "rojak.types",
    "ResumeResponse": "rojak.types",
    "Rojak": "rojak.client",
    "RojakPlugin": "rojak.worker",
    "RojakWorker": "rojak.worker",
    "RunResponse": "rojak.client",
    "ScheduleIntervalSpec": "temporalio.client",
    "ScheduleSpec": "temporalio.client",
    "TaskParams": "rojak.types",
    "TextPart": "rojak.types",
    "UpdateConfigParams": "rojak.types",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
