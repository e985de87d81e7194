"""The command `rojak` as people and scripts run it: in processes of its own, with a terminal and without."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from typing import Any

import pexpect
import pyte

COMMAND = [sys.executable, "-m", "rojak.cli"]


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    stdout: str
    stderr: str

    @property
    def data(self) -> Any:
        """What it printed with -o json."""
        return json.loads(self.stdout)


def environment(address: str, **extra: str) -> dict[str, str]:
    """Of a person whose server is at that address; with an empty one, of a person whose environment does not say."""
    unset = ("TEMPORAL", "ROJAK", "EDITOR", "VISUAL", "FORCE_COLOR", "NO_COLOR")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(unset)}
    return {**kept, **({"TEMPORAL_ADDRESS": address} if address else {}), "TERM": "xterm", **extra}


async def rojak(address: str, *arguments: str, stdin: str = "", **extra: str) -> Outcome:
    """Run a command without a terminal."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(address, **extra),
    )
    try:
        async with asyncio.timeout(60):
            out, err = await process.communicate(stdin.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Outcome(process.returncode, out.decode(), err.decode())


class Terminal:
    """A command at a terminal, and a person who reads and types."""

    def __init__(self, address: str, *arguments: str, **extra: str) -> None:
        self._child = pexpect.spawn(
            COMMAND[0],
            [*COMMAND[1:], *arguments],
            env=environment(address, **({"NO_COLOR": "1"} | extra)),
            encoding="utf-8",
            timeout=40,
            dimensions=(40, 120),
        )
        self.seen = ""

    async def read(self, text: str) -> None:
        """Wait until it shows the text."""
        try:
            await asyncio.to_thread(self._child.expect_exact, text)
        except (pexpect.TIMEOUT, pexpect.EOF) as error:
            raise AssertionError(f"{text!r} did not come: {self.seen}{self._child.before}") from error
        self.seen += f"{self._child.before}{self._child.after}"

    async def type(self, line: str) -> None:
        """Type a line."""
        await asyncio.to_thread(self._child.sendline, line)

    async def press(self, key: str) -> None:
        """Press a key together with Ctrl."""
        await asyncio.to_thread(self._child.sendcontrol, key)

    async def leave(self) -> int:
        """Leave at the prompt; the exit code."""
        await self.read("you> ")
        await self.press("d")
        return await self.end()

    async def end(self) -> int:
        """Wait for its end; its exit code."""
        await asyncio.to_thread(self._child.expect, pexpect.EOF)
        self.seen += str(self._child.before)
        await asyncio.to_thread(self._child.wait)
        assert self._child.exitstatus is not None, self._child.signalstatus
        return int(self._child.exitstatus)

    def screen(self) -> str:
        """What is to be seen in the end, without colours."""
        screen = pyte.Screen(120, 200)
        pyte.Stream(screen).feed(self.seen)
        return "\n".join(line.rstrip() for line in screen.display).strip()

    def close(self) -> None:
        """End it, whatever it does."""
        self._child.close(force=True)
