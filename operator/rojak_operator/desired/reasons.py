"""The types of conditions and the reasons that they give. docs/troubleshooting.md says what to do about each.

These words are an interface: people and their alerts rely on them. Reasons of Events are not.
"""

from __future__ import annotations

from enum import StrEnum


class ConditionType(StrEnum):
    """The aspects of an object's state."""

    ACCEPTED = "Accepted"
    RESOLVED_REFS = "ResolvedRefs"
    PROGRAMMED = "Programmed"
    PROGRESSING = "Progressing"
    REACHABLE = "Reachable"
    SYNCED = "Synced"
    READY = "Ready"


class Reason(StrEnum):
    """Why a condition is as it is."""

    # Accepted
    ACCEPTED = "Accepted"
    INVALID_SPEC = "InvalidSpec"
    # ResolvedRefs
    RESOLVED = "ResolvedRefs"
    AGENT_NOT_FOUND = "AgentNotFound"
    MCP_SERVER_NOT_FOUND = "MCPServerNotFound"
    WORKER_POOL_NOT_FOUND = "WorkerPoolNotFound"
    SECRET_NOT_FOUND = "SecretNotFound"
    SECRET_KEY_NOT_FOUND = "SecretKeyNotFound"
    CONFIG_MAP_NOT_FOUND = "ConfigMapNotFound"
    CONFIG_MAP_KEY_NOT_FOUND = "ConfigMapKeyNotFound"
    # Programmed
    PROGRAMMED = "Programmed"
    APPLY_FAILED = "ApplyFailed"
    NAME_TAKEN = "NameTaken"
    CONFIGURATION_TOO_LARGE = "ConfigurationTooLarge"
    KEDA_NOT_INSTALLED = "KEDANotInstalled"
    KEDA_CANNOT_CONNECT = "KEDACannotConnect"
    POOL_NOT_PROGRAMMED = "PoolNotProgrammed"
    # Progressing
    ROLLOUT_IN_PROGRESS = "RolloutInProgress"
    ROLLOUT_COMPLETE = "RolloutComplete"
    ROLLOUT_STUCK = "RolloutStuck"
    # Ready
    AVAILABLE = "Available"
    SCALED_TO_ZERO = "ScaledToZero"
    NOT_ACCEPTED = "NotAccepted"
    REFS_NOT_RESOLVED = "RefsNotResolved"
    NOT_PROGRAMMED = "NotProgrammed"
    WORKERS_UNAVAILABLE = "WorkersUnavailable"
    VERSION_NOT_CURRENT = "VersionNotCurrent"
    NOT_SYNCED = "NotSynced"
    # Reachable
    REACHABLE = "Reachable"
    NOT_DISCOVERED_YET = "NotDiscoveredYet"
    DISCOVERY_OFF = "DiscoveryOff"
    DISCOVERY_TIMED_OUT = "DiscoveryTimedOut"
    DISCOVERY_FAILED = "DiscoveryFailed"
    DISCOVERY_UNAUTHORIZED = "DiscoveryUnauthorized"
    # Synced
    SYNCED = "Synced"
    TEMPORAL_UNREACHABLE = "TemporalUnreachable"
    TEMPORAL_REFUSED = "TemporalRefused"
    SCHEDULE_TAKEN = "ScheduleTaken"
    INVALID_SCHEDULE = "InvalidSchedule"
    INVALID_ANNOTATION = "InvalidAnnotation"
