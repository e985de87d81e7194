"""Looks round each second: what schedules, approvals and MCP servers are like now is put on the board."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from temporalio.service import RPCError

from rojak.laptop.board import Board
from rojak.laptop.pools import Pool
from rojak.laptop.schedules import ScheduleKeeper
from rojak.laptop.temporal import Temporal
from rojak.workflows.contracts import STATUS_ATTRIBUTE, WORKFLOW_NAME

#: Seconds between two rounds.
_PAUSE: Final = 1.0
#: So many of the sessions that wait for an approval are named.
_LISTED: Final = 5
_WAITING: Final = (
    f'WorkflowType = "{WORKFLOW_NAME}" AND ExecutionStatus = "Running" AND'
    f' {STATUS_ATTRIBUTE.name} = "waiting_for_approval"'
)


class Rounds:
    """Goes its rounds until it is cancelled.

    Args:
        temporal: which has the sessions.
        schedules: of the files.
        pools: by their names; as they are at each round.
        board: what is shown.
    """

    def __init__(self, temporal: Temporal, schedules: ScheduleKeeper, pools: Mapping[str, Pool], board: Board) -> None:
        self._temporal, self._schedules, self._pools, self._board = temporal, schedules, pools, board

    async def go(self) -> None:
        """Go round after round."""
        while True:
            try:
                await self._schedules.look()
                await self._look_for_approvals()
            except RPCError as error:
                self._board.fail(f"Temporal does not answer: {error.message}")
            await self._look_at_servers()
            await asyncio.sleep(_PAUSE)

    async def _look_for_approvals(self) -> None:
        if not self._temporal.has_attributes:
            return
        # Others may use the same Temporal: their sessions are on task queues of other namespaces.
        namespaces = sorted({name.split("/")[0] for name in list(self._pools)})
        if not namespaces:
            self._board.approvals = (0, ())
            return
        ours = " OR ".join(f'TaskQueue STARTS_WITH "{namespace}."' for namespace in namespaces)
        query = f"{_WAITING} AND ({ours})"
        before = self._board.approvals[0]
        count = (await self._temporal.client.count_workflows(query)).count
        found = self._temporal.client.list_workflows(query, limit=_LISTED)
        ids = [execution.id async for execution in found] if count else []
        self._board.approvals = (count, tuple(ids))
        if count > before:
            flags = "".join(f" {flag}" for flag in self._temporal.flags)
            self._board.warn(f"{count} waiting for approval: rojak approvals list{flags}")

    async def _look_at_servers(self) -> None:
        """Workers know the tools of the MCP servers that their agents use."""
        for name, pool in list(self._pools.items()):
            namespace = name.split("/")[0]
            if pool.process is None or not any(key.startswith(f"{namespace}/") for key in self._board.servers):
                continue
            status = await pool.process.read_status()
            for server, found in status.get("mcpServers", {}).items():
                entry = self._board.servers.get(f"{namespace}/{server}")
                if entry is not None and (news := entry.see(found)):
                    self._board.say(
                        f"MCP server {namespace}/{server}: {news}", "good" if not entry.detail else "warning"
                    )
