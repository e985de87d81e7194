"""Histories that were recorded once replay with today's code: sessions outlive versions of Rojak."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from rojak import RojakPlugin

HISTORIES = sorted((Path(__file__).parents[1] / "histories").glob("*.json"))


def read(path: Path) -> WorkflowHistory:
    # Of a session that works for another one the id is `<other>/<turn>.<call>`; a file's name has no slash.
    return WorkflowHistory.from_json(path.name.rsplit(".", 2)[0].replace("-", "/"), path.read_text())


def test_histories_were_recorded() -> None:
    assert len({path.name.split(".")[0] for path in HISTORIES}) >= 11


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path: Path) -> None:
    await Replayer(workflows=[], plugins=[RojakPlugin()]).replay_workflow(read(path))


async def test_a_history_of_other_code_does_not_replay() -> None:
    """So the tests above can fail: here the tool call of a recorded run has another name."""
    path = next(path for path in HISTORIES if path.name.startswith("stateless_run_with_a_tool"))
    history = json.loads(path.read_text().replace("rojak.call_tool", "rojak.another_activity"))
    with pytest.raises(NondeterminismError):
        await Replayer(workflows=[], plugins=[RojakPlugin()]).replay_workflow(
            WorkflowHistory.from_json("tampered", json.dumps(history))
        )
