"""Conditions: what each says, and how a new one replaces an old one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rojak_operator.desired.reasons import ConditionType, Reason
from rojak_operator.desired.references import Missing

#: How much of a message is kept.
_MESSAGE_LENGTH: Final = 1000


@dataclass(frozen=True)
class Finding:
    """A condition before it is known since when it is so. ``status`` None is Unknown."""

    type: ConditionType
    status: bool | None
    reason: Reason
    message: str = ""


def accepted() -> Finding:
    """The manifest makes sense."""
    return Finding(ConditionType.ACCEPTED, True, Reason.ACCEPTED, "the manifest is valid")


def not_accepted(message: str) -> Finding:
    """It does not."""
    return Finding(ConditionType.ACCEPTED, False, Reason.INVALID_SPEC, message)


def resolved_refs(missing: Sequence[Missing]) -> Finding:
    """Whether everything that the manifest refers to is there."""
    if not missing:
        return Finding(ConditionType.RESOLVED_REFS, True, Reason.RESOLVED, "everything that is referred to exists")
    message = "; ".join(dict.fromkeys(str(entry) for entry in missing))
    return Finding(ConditionType.RESOLVED_REFS, False, Reason(missing[0].reason), message)


def ready_unless(*findings: Finding) -> Finding | None:
    """Why an object cannot be ready, by what was found out before; None if nothing is in the way."""
    why = {
        ConditionType.ACCEPTED: Reason.NOT_ACCEPTED,
        ConditionType.RESOLVED_REFS: Reason.REFS_NOT_RESOLVED,
        ConditionType.PROGRAMMED: Reason.NOT_PROGRAMMED,
        ConditionType.SYNCED: Reason.NOT_SYNCED,
    }
    for finding in findings:
        if finding.status is not True and finding.type in why:
            return Finding(ConditionType.READY, False, why[finding.type], finding.message)
    return None


def merge_conditions(
    old: Iterable[Mapping[str, Any]], findings: Iterable[Finding], *, generation: int, now: str
) -> list[dict[str, Any]]:
    """The findings as conditions; the time of the last transition stays where the status did."""
    before = {condition.get("type"): condition for condition in old}
    merged = []
    for finding in findings:
        status = "Unknown" if finding.status is None else str(finding.status)
        previous = before.get(finding.type.value, {})
        since = previous.get("lastTransitionTime") if previous.get("status") == status else None
        merged.append(
            {
                "type": finding.type.value,
                "status": status,
                "observedGeneration": generation,
                "lastTransitionTime": since or now,
                "reason": finding.reason.value,
                "message": finding.message[:_MESSAGE_LENGTH],
            }
        )
    return merged


def transitions(old: Iterable[Mapping[str, Any]], new: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The conditions whose status or reason is another than before."""
    before = {c.get("type"): (c.get("status"), c.get("reason")) for c in old}
    return [c for c in new if before.get(c["type"]) != (c["status"], c["reason"])]
