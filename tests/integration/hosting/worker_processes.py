"""`rojak worker` in processes of its own, from configurations that tests write."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

FUNCTIONS = '''
def get_weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


def instruct(context_variables: dict) -> str:
    return f"Help {context_variables.get('user', 'nobody')}."
'''


class Worker:
    """A worker process and what it says."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._read = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.lines.append(line.decode().rstrip())

    @property
    def log(self) -> str:
        """All that it said so far."""
        return "\n".join(self.lines)

    @property
    def url(self) -> str:
        """Where it serves health and metrics."""
        found = re.search(r"metrics at port (\d+)", self.log)
        assert found is not None, self.log
        return f"http://127.0.0.1:{found.group(1)}"

    async def until(self, condition: Callable[[], bool], seconds: float = 30) -> None:
        """Wait for something that it says or does."""
        async with asyncio.timeout(seconds):
            while not condition():
                assert self.process.returncode is None or condition(), self.log
                await asyncio.sleep(0.05)

    async def ready(self) -> None:
        """Wait until it takes work."""
        await self.until(lambda: "metrics at port" in self.log)
        async with asyncio.timeout(30):
            while (await self.get("/readyz"))[0] != 200:
                await asyncio.sleep(0.05)

    async def connected(self, server: str) -> None:
        """Wait until it has the tools of an MCP server, for which a turn would not wait as long as it may take."""
        async with asyncio.timeout(30):
            while json.loads((await self.get("/status"))[1])["mcpServers"][server]["problem"] is not None:
                await asyncio.sleep(0.05)

    async def get(self, path: str) -> tuple[int, str]:
        """Status and body."""
        return await asyncio.to_thread(_get, f"{self.url}{path}")

    async def end(self) -> int:
        """Wait for its end."""
        async with asyncio.timeout(40):
            code = await self.process.wait()
            await self._read
        return code


def _get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def agent(name: str, base_url: str, namespace: str, **spec: Any) -> dict[str, Any]:
    """An agent of a configuration."""
    model = {"provider": "openai", "name": "gpt-5-mini", "baseURL": base_url} | spec.pop("model", {})
    if not spec.keys() & {"instructionsFunction"}:
        spec.setdefault("instructions", f"You are {name}.")
    return {"name": name, "taskQueue": f"{namespace}.{name}", "spec": {"model": model, **spec}}


def configuration(address: str, namespace: str, agents: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    """A configuration."""
    return {
        "version": 1,
        "name": "pool",
        "namespace": namespace,
        "temporal": {"address": address},
        "agents": agents,
        "http": {"host": "127.0.0.1", "port": 0},
        **fields,
    }


def write_config(folder: Path, config: dict[str, Any]) -> Path:
    """A file with the configuration."""
    path = folder / f"worker-{len(list(folder.glob('worker-*')))}.json"
    path.write_text(json.dumps(config))
    return path


@asynccontextmanager
async def started(folder: Path, config: dict[str, Any], env: dict[str, str] | None = None) -> AsyncIterator[Worker]:
    """A worker process, killed at the end of the block if it still runs."""
    path = write_config(folder, config)
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI", "ANTHROPIC", "OTEL", "TEMPORAL"))}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "rojak.cli",
        "worker",
        "--config",
        str(path),
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        env={**environ, "OPENAI_API_KEY": "test", **(env or {})},
    )
    worker = Worker(process)
    try:
        yield worker
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()
        await worker._read
