"""The messages by which Temporal is told of a schedule, and what its description says of whose it is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError
from temporalio.api.common.v1 import Memo, Payload, Payloads, SearchAttributes
from temporalio.api.schedule.v1 import Schedule, ScheduleState
from temporalio.api.workflowservice.v1 import (
    CreateScheduleRequest,
    DescribeScheduleResponse,
    UpdateScheduleRequest,
)
from temporalio.converter import DataConverter

from rojak.schedules.desired import OWNER_MEMO, DesiredSchedule

_PAUSE_NOTE = "paused by the manifest"


async def create_request(
    desired: DesiredSchedule, *, namespace: str, identity: str, request_id: str
) -> CreateScheduleRequest:
    """Asks for the schedule.

    Args:
        namespace: of Temporal.
        identity: who asks.
        request_id: asked twice with the same one, it is created once.

    Raises:
        ValueError: the schedule makes no sense.
    """
    schedule = await _to_proto(desired)
    schedule.state.CopyFrom(ScheduleState(paused=desired.paused, notes=_PAUSE_NOTE if desired.paused else ""))
    return CreateScheduleRequest(
        namespace=namespace,
        schedule_id=desired.id,
        schedule=schedule,
        identity=identity,
        request_id=request_id,
        memo=Memo(fields={OWNER_MEMO: await _payload(desired.owner)}),
    )


async def update_request(
    desired: DesiredSchedule,
    described: DescribeScheduleResponse,
    *,
    paused: bool | None,
    namespace: str,
    identity: str,
) -> UpdateScheduleRequest:
    """Asks for the schedule to become as it should be.

    Args:
        described: the schedule as it is.
        paused: whether it pauses from now on; None leaves its state, such as a pause made elsewhere, as it is.
        namespace: of Temporal.
        identity: who asks.

    Raises:
        ValueError: the schedule makes no sense.
    """
    schedule = await _to_proto(desired)
    schedule.state.CopyFrom(described.schedule.state)
    if paused is not None:
        schedule.state.paused = paused
        schedule.state.notes = _PAUSE_NOTE if paused else ""
    return UpdateScheduleRequest(
        namespace=namespace,
        schedule_id=desired.id,
        schedule=schedule,
        # Of two changes at a time the second one is refused, and tried again from what is then.
        conflict_token=described.conflict_token,
        identity=identity,
    )


def owner_of(described: DescribeScheduleResponse) -> str | None:
    """Whose schedule it is, by its memo; None if it was made by somebody else."""
    return owner_in(described.memo)


def is_paused_by_hand(described: DescribeScheduleResponse) -> bool:
    """Whether it is paused, and not because the manifest said so."""
    state = described.schedule.state
    return bool(state.paused) and state.notes != _PAUSE_NOTE


def owner_in(memo: Memo) -> str | None:
    """Whose schedule it is that has this memo."""
    payload = memo.fields.get(OWNER_MEMO)
    return None if payload is None else str(DataConverter.default.payload_converter.from_payload(payload, str))


def applied_hash(described: DescribeScheduleResponse) -> str:
    """Hash of a schedule without its state, as the server has it: cron strings have become calendars there."""
    schedule = Schedule()
    schedule.CopyFrom(described.schedule)
    schedule.ClearField("state")
    return hashlib.sha256(schedule.SerializeToString(deterministic=True)).hexdigest()[:16]


async def _to_proto(desired: DesiredSchedule) -> Schedule:
    """The message, with the workflow's argument encoded as a worker decodes it."""
    action: dict[str, Any] = {k: v for k, v in desired.action.items() if k not in ("input", "searchAttributes")}
    try:
        schedule = ParseDict(
            {"spec": desired.spec, "policies": desired.policies, "action": {"startWorkflow": action}}, Schedule()
        )
    except ParseError as error:
        raise ValueError(f"the schedule makes no sense: {error}") from None
    start = schedule.action.start_workflow
    start.input.CopyFrom(Payloads(payloads=[await _payload(desired.action["input"])]))
    attributes: Mapping[str, str] = desired.action.get("searchAttributes", {})
    if attributes:
        fields = {}
        for name, value in attributes.items():
            payload = await _payload(value)
            payload.metadata["type"] = b"Keyword"
            fields[name] = payload
        start.search_attributes.CopyFrom(SearchAttributes(indexed_fields=fields))
    return schedule


async def _payload(value: Any) -> Payload:
    return (await DataConverter.default.encode([value]))[0]
