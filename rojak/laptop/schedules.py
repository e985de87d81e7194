"""Temporal's schedules, kept as the files say while `rojak dev` runs."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Any, Final

from temporalio.api.workflowservice.v1 import (
    DeleteScheduleRequest,
    DescribeScheduleRequest,
    DescribeScheduleResponse,
    ListSchedulesRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from rojak.laptop.board import Board, ScheduleEntry
from rojak.schedules import (
    DesiredSchedule,
    applied_hash,
    create_request,
    is_paused_by_hand,
    owner_in,
    owner_of,
    update_request,
)

_IDENTITY: Final = "rojak-dev"
_TIMEOUT: Final = timedelta(seconds=10)


class ScheduleKeeper:
    """Makes, changes and removes the schedules of the files; those of others are left alone.

    Args:
        client: of the Temporal that has them.
        owner: by which our schedules are told from others, also by the next `rojak dev` for the same files.
        board: what is shown.
    """

    def __init__(self, client: Client, owner: str, board: Board) -> None:
        self._client, self._owner, self._board = client, owner, board
        self._service = client.workflow_service
        #: What was applied: hash of what was wanted, of what came of it, and whether it was to pause.
        self._applied: dict[str, tuple[str, str, bool]] = {}
        self._orphans: frozenset[str] = frozenset()

    async def apply(self, wanted: Mapping[str, DesiredSchedule], orphans: frozenset[str]) -> None:
        """Make Temporal's schedules these."""
        self._orphans |= orphans
        for schedule_id in [*await self._find_ours()]:
            if schedule_id not in wanted:
                await self._remove(schedule_id)
        for schedule_id in [*self._board.schedules]:
            if schedule_id not in wanted:
                del self._board.schedules[schedule_id]
        for desired in wanted.values():
            entry = self._board.schedules.setdefault(desired.id, ScheduleEntry(_agent_of(desired)))
            entry.agent = _agent_of(desired)
            try:
                entry.detail = await self._converge(desired)
            except ValueError as error:
                entry.detail = str(error)
            except RPCError as error:
                entry.detail = f"Temporal refuses it: {error.message}"
            if entry.detail:
                self._board.fail(f"schedule {desired.id}: {entry.detail}")
        await self.look()

    async def _converge(self, desired: DesiredSchedule) -> str:
        """Create or update; why not, if not."""
        described = await self._describe(desired.id)
        if described is None:
            request = await create_request(
                desired, namespace=self._client.namespace, identity=_IDENTITY, request_id=uuid.uuid4().hex
            )
            await self._service.create_schedule(request, timeout=_TIMEOUT)
            self._board.info(f"schedule {desired.id}: created, for agent {_agent_of(desired)}")
        elif not self._is_ours(owner_of(described)):
            return (
                f"Temporal has one of this id that is not of these files; delete it there (rojak schedules delete"
                f" {desired.id.partition('.')[2]}), or rename this one"
            )
        else:
            before = self._applied.get(desired.id)
            if before == (desired.hash, applied_hash(described), desired.paused):
                return ""
            # A pause made elsewhere stays, unless the file changes its mind; also one of a run before that was killed.
            keeps = is_paused_by_hand(described) if before is None else before[2] == desired.paused
            paused = None if keeps else desired.paused
            change = await update_request(
                desired, described, paused=paused, namespace=self._client.namespace, identity=_IDENTITY
            )
            await self._service.update_schedule(change, timeout=_TIMEOUT)
            self._board.info(f"schedule {desired.id}: updated")
        described = await self._describe(desired.id)
        if described is not None:
            self._applied[desired.id] = (desired.hash, applied_hash(described), desired.paused)
        return ""

    async def look(self) -> None:
        """Put on the board when each ran, and when it will."""
        for schedule_id, entry in list(self._board.schedules.items()):
            described = await self._describe(schedule_id)
            if described is None:
                continue
            info: Any = described.info
            times = [time.ToDatetime(UTC) for time in info.future_action_times]
            entry.paused = described.schedule.state.paused
            entry.next_run = times[0] if times and not entry.paused else None
            entry.last_run = info.recent_actions[-1].actual_time.ToDatetime(UTC) if info.recent_actions else None
            entry.runs = int(info.action_count)

    async def remove_all(self) -> None:
        """Remove what is ours; those whose manifests say Orphan stay."""
        for schedule_id in await self._find_ours():
            await self._remove(schedule_id)

    async def _remove(self, schedule_id: str) -> None:
        self._applied.pop(schedule_id, None)
        if schedule_id in self._orphans:
            return
        request = DeleteScheduleRequest(namespace=self._client.namespace, schedule_id=schedule_id, identity=_IDENTITY)
        try:
            await self._service.delete_schedule(request, timeout=_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        self._board.info(f"schedule {schedule_id}: removed")

    async def _find_ours(self) -> list[str]:
        """Ids of the schedules that these files have made, also in a run before that could not clean up."""
        found = set(self._applied)
        request = ListSchedulesRequest(namespace=self._client.namespace, maximum_page_size=200)
        while True:
            answer = await self._service.list_schedules(request, timeout=_TIMEOUT)
            found |= {entry.schedule_id for entry in answer.schedules if self._is_ours(owner_in(entry.memo))}
            request.next_page_token = answer.next_page_token
            if not request.next_page_token:
                return sorted(found)

    def _is_ours(self, owner: str | None) -> bool:
        return owner is not None and owner.startswith(f"{self._owner}/")

    async def _describe(self, schedule_id: str) -> DescribeScheduleResponse | None:
        request = DescribeScheduleRequest(namespace=self._client.namespace, schedule_id=schedule_id)
        try:
            return await self._service.describe_schedule(request, timeout=_TIMEOUT)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise


def _agent_of(desired: DesiredSchedule) -> str:
    return str(desired.action["input"]["task"]["agent"]["name"])
