"""The Temporal server, as Rojak starts it for laptops and tests."""

from __future__ import annotations

import asyncio
import socket
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.client import Client


@asynccontextmanager
async def start_server() -> AsyncIterator[str]:
    """A running server; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    binary = Path(sys.executable).with_name("temporal")
    process = await asyncio.create_subprocess_exec(
        str(binary), "server", "start-dev", "--headless", "--port", str(port), "--log-level", "error",
        "--dynamic-config-value", "history.transferProcessorMaxPollRPS=2000",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        address = f"127.0.0.1:{port}"
        for _ in range(200):
            try:
                await Client.connect(address)
                break
            except RuntimeError:
                await asyncio.sleep(0.1)
        yield address
    finally:
        process.terminate()
        await process.wait()
