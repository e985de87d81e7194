"""Schedules of manifests as Temporal knows them: what it should have (`desired`), and the messages for it (`wire`).

The operator and `rojak dev` keep Temporal's schedules true with the same.
"""

from rojak.schedules.desired import OWNER_MEMO, DesiredSchedule, render_schedule
from rojak.schedules.wire import (
    applied_hash,
    create_request,
    is_paused_by_hand,
    owner_in,
    owner_of,
    update_request,
)

__all__ = [
    "OWNER_MEMO",
    "DesiredSchedule",
    "applied_hash",
    "create_request",
    "is_paused_by_hand",
    "owner_in",
    "owner_of",
    "render_schedule",
    "update_request",
]
