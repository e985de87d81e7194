"""A child process that never outlives its parent."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

#: Seconds that the child has between SIGTERM and SIGKILL.
GRACE = 5.0
#: Waits for the end of its input, which is the end of the parent however that came, and ends the child.
_WATCH = f'read _; kill -TERM "$0" 2>/dev/null && sleep {GRACE:g} && kill -KILL "$0" 2>/dev/null'


class ChildProcess:
    """A process in a session of its own, so that Ctrl-C in the terminal reaches its parent alone.

    A second, tiny process holds a pipe to the parent and ends the child when the parent is gone, also when it was
    killed.

    Args:
        command: the program and its arguments.
        log: where its output goes.
        environ: its environment; ours when left out.
        kept: descriptors that it keeps open until it ends, such as that of a lock.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        environ: Mapping[str, str] | None = None,
        kept: Sequence[int] = (),
    ) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env=environ,
                pass_fds=kept,
            )
        self._watcher: subprocess.Popen[bytes] | None = None
        if os.name == "posix":
            self._watcher = subprocess.Popen(
                ["/bin/sh", "-c", _WATCH, str(self._process.pid)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Of the child."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """How the child ended; None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """End the child, and wait until it is gone; at most twice `GRACE`."""
        if self._watcher is not None:
            # Before the child, so that the watcher cannot signal another process that got the child's number.
            self._watcher.kill()
            self._watcher.wait()
            with contextlib.suppress(OSError):
                self._watcher.stdin and self._watcher.stdin.close()
            self._watcher = None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(GRACE)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()
