"""The condition Programmed: whether the objects that we make are as they should be."""

from __future__ import annotations

from rojak_operator.applier import Applied
from rojak_operator.desired.conditions import Finding
from rojak_operator.desired.reasons import ConditionType, Reason


def programmed_finding(applied: Applied, message: str) -> Finding:
    """Of what was applied."""
    if applied.taken:
        taken = f"{', '.join(applied.taken)} exists and is not ours; rename or delete it, or rename this object"
        return Finding(ConditionType.PROGRAMMED, False, Reason.NAME_TAKEN, taken)
    if applied.refused:
        return Finding(ConditionType.PROGRAMMED, False, Reason.APPLY_FAILED, "; ".join(applied.refused))
    return Finding(ConditionType.PROGRAMMED, True, Reason.PROGRAMMED, message)
