"""The custom resources as Python: Agent, MCPServer, Schedule and WorkerPool, as files and as objects.

This is the only definition of their schema; see `rojak.manifests.base`. `load` reads files and folders.
"""

from rojak.manifests.agent import Agent, AgentSpec, AgentStatus
from rojak.manifests.loading import KINDS, Bundle, Key, read, read_text
from rojak.manifests.mcp_server import MCPServer, MCPServerSpec, MCPServerStatus
from rojak.manifests.problems import ManifestError, Problem
from rojak.manifests.references import check_references, handoff_name_of, load, tool_name_of
from rojak.manifests.resource import API_VERSION, GROUP, VERSION, ObjectMeta, Resource
from rojak.manifests.schedule import Schedule, ScheduleSpec, ScheduleStatus
from rojak.manifests.tools import Approval, Handoff, Tool
from rojak.manifests.values import Condition, seconds_of, time_of
from rojak.manifests.worker import WorkerPool, WorkerPoolStatus, WorkerSpec, WorkerStatus


def task_queue_of(namespace: str, agent: str) -> str:
    """The task queue where an Agent's calls are done, wherever the session began."""
    return f"{namespace}.{agent}"


def schedule_id_of(namespace: str, schedule: str) -> str:
    """The id of the Temporal schedule that a Schedule is."""
    return f"{namespace}.{schedule}"


__all__ = [
    "API_VERSION",
    "GROUP",
    "KINDS",
    "VERSION",
    "Agent",
    "AgentSpec",
    "AgentStatus",
    "Approval",
    "Bundle",
    "Condition",
    "Handoff",
    "Key",
    "MCPServer",
    "MCPServerSpec",
    "MCPServerStatus",
    "ManifestError",
    "ObjectMeta",
    "Problem",
    "Resource",
    "Schedule",
    "ScheduleSpec",
    "ScheduleStatus",
    "Tool",
    "WorkerPool",
    "WorkerPoolStatus",
    "WorkerSpec",
    "WorkerStatus",
    "check_references",
    "handoff_name_of",
    "load",
    "read",
    "read_text",
    "schedule_id_of",
    "seconds_of",
    "task_queue_of",
    "time_of",
    "tool_name_of",
]
