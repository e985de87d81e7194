"""`rojak dev` at a terminal: a table that is true, and Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
import uuid
from collections.abc import Iterator

import pexpect
import psutil
import pyte
import pytest
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from rojak.workflows.contracts import STATUS_ATTRIBUTE, STATUS_WAITING, WORKFLOW_NAME
from tests.integration.laptop.dev_process import PIZZA, ROOT


class Screen:
    """What a person sees."""

    def __init__(self, *arguments: str) -> None:
        hidden = ("API_KEY", "TEMPORAL_", "ROJAK_")
        env = {name: value for name, value in os.environ.items() if not any(part in name for part in hidden)}
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "rojak.cli", "dev", *arguments],
            cwd=ROOT,
            env={**env, "TERM": "xterm"},
            dimensions=(45, 150),
            encoding="utf-8",
            timeout=1,
        )
        self._screen = pyte.Screen(150, 45)
        self._stream = pyte.Stream(self._screen)

    def read(self) -> str:
        """The screen as it is now."""
        try:
            while True:
                self._stream.feed(self.child.read_nonblocking(65536, timeout=0.1))
        except (pexpect.TIMEOUT, pexpect.EOF):
            pass
        return "\n".join(self._screen.display)

    def wait_for(self, *patterns: str, timeout: float = 40) -> str:
        """The screen once it shows all of these."""
        give_up = time.monotonic() + timeout
        while not all(re.search(pattern, text := self.read()) for pattern in patterns):
            assert time.monotonic() < give_up, f"{patterns} are not all in:\n{text}"
        return text


@pytest.fixture
def foreign_approval(temporal_address: str) -> Iterator[None]:
    """A session of somebody else who uses the same Temporal, and it waits for an approval."""
    session_id = f"foreign-{uuid.uuid4().hex}"

    async def begin() -> None:
        client = await Client.connect(temporal_address)
        waits = TypedSearchAttributes([SearchAttributePair(STATUS_ATTRIBUTE, STATUS_WAITING)])
        await client.start_workflow(
            WORKFLOW_NAME, id=session_id, task_queue=f"{session_id}.agent", search_attributes=waits
        )
        async with asyncio.timeout(30):
            while not [found async for found in client.list_workflows(f'WorkflowId = "{session_id}"')]:
                await asyncio.sleep(0.1)

    async def end() -> None:
        client = await Client.connect(temporal_address)
        await client.get_workflow_handle(session_id).terminate()

    asyncio.run(begin())
    try:
        yield
    finally:
        asyncio.run(end())


@pytest.fixture
def screen(temporal_address: str) -> Iterator[Screen]:
    screen = Screen("-f", str(PIZZA), "-n", f"dev-{uuid.uuid4().hex[:8]}", "--address", temporal_address)
    family: list[psutil.Process] = []
    try:
        yield screen
        family = psutil.Process(screen.child.pid).children(recursive=True) if screen.child.isalive() else []
    finally:
        screen.child.close(force=True)
        for process in family:
            if process.is_running():
                process.kill()


@pytest.mark.timeout(180)
def test_the_table_tells_what_is_up_and_ctrl_c_ends_it(foreign_approval: None, screen: Screen) -> None:
    # The parts of the table come as they are known: the approvals only once Temporal has been asked for them.
    text = screen.wait_for(
        r"triage +\S+\.triage +\S+/pizza \(\d+\) +up",
        r"oven-check +kitchen +\d{4}-",
        "ready: rojak chat",
        r"No approvals are waited for\.",
        r"scripted, examples/pizza/manifests/model_script\.py",
    )
    screen.wait_for(r"oven-check +kitchen .* ago\)")

    family = psutil.Process(screen.child.pid).children(recursive=True)
    worker = int(re.search(r"pizza \((\d+)\)", text)[1])  # type: ignore[index]  # it was found above
    psutil.Process(worker).kill()
    screen.wait_for(r"triage .* up, 1 restart")

    family += psutil.Process(screen.child.pid).children(recursive=True)
    screen.child.sendintr()
    screen.wait_for("stopped: nothing that was started here runs any more")
    screen.child.expect(pexpect.EOF, timeout=30)
    screen.child.wait()
    assert screen.child.exitstatus == 0
    assert not [process for process in family if process.is_running()]
