"""`rojak dev` as a process, and all that it starts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[3]
PIZZA = ROOT / "examples" / "pizza" / "manifests"
#: Seconds that anything may take; a busy machine takes some of them.
PATIENCE = 45.0


class DevProcess:
    """`rojak dev` with its lines; in a ``with`` block, whose end ends it and all that it started."""

    def __init__(self, *arguments: str | Path, cwd: Path = ROOT, **environ: str) -> None:
        hidden = ("API_KEY", "TEMPORAL_", "ROJAK_")
        env = {name: value for name, value in os.environ.items() if not any(part in name for part in hidden)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rojak.cli", "dev", *map(str, arguments)],
            cwd=cwd,
            env={**env, "PYTHONPATH": str(ROOT), **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._seen = 0
        self._family: dict[int, psutil.Process] = {}
        self._new_line = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._new_line:
                self.lines.append(line.rstrip())
                self._new_line.notify_all()
        with self._new_line:
            self._new_line.notify_all()

    @property
    def text(self) -> str:
        """All that it said."""
        return "\n".join(self.lines)

    def wait_for(self, pattern: str, timeout: float = PATIENCE, *, again: bool = False) -> re.Match[str]:
        """The first line in which the pattern is found: after the one that was waited for last, or of all."""
        self._seen = 0 if again else self._seen
        give_up = time.monotonic() + timeout
        with self._new_line:
            while True:
                while self._seen < len(self.lines):
                    self._seen += 1
                    if found := re.search(pattern, self.lines[self._seen - 1]):
                        return found
                left = give_up - time.monotonic()
                if left < 0 or (self.process.poll() is not None and not self._reader.is_alive()):
                    raise AssertionError(f"no line has {pattern!r}:\n{self.text}")
                self._new_line.wait(min(left, 0.2))

    def family(self) -> list[psutil.Process]:
        """The processes that it has started so far and that are still there."""
        try:
            for child in psutil.Process(self.process.pid).children(recursive=True):
                self._family[child.pid] = child
        except psutil.NoSuchProcess:
            pass
        return [child for child in self._family.values() if _lives(child)]

    def worker_pid(self, pool: str = ".*") -> int:
        """Of the worker that was announced last."""
        found = [match for line in self.lines if (match := re.search(rf"{pool}: worker (\d+) .*serves", line))]
        return int(found[-1][1])

    def interrupt(self, number: int = signal.SIGINT) -> int:
        """Ctrl-C, and its exit code."""
        self.family()
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def __enter__(self) -> DevProcess:
        return self

    def __exit__(self, *exc_info: object) -> None:
        left = self.family()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
        for child in left:
            if _lives(child):
                child.kill()


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
