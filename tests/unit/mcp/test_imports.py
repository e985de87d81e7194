from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
{before}
from rojak import Rojak
from rojak.agents import OpenAIAgentActivities, OpenAIAgentOptions
from rojak.types import MCPServerConfig
from temporalio.client import Client
assert not sys.modules.get("mcp") and not sys.modules.get("jsonschema")
import asyncio
from rojak.types.errors import MissingExtraError
async def main():
    client = await Client.connect("127.0.0.1:9", lazy=True)
    worker = Rojak(client, "q").create_worker(
        [OpenAIAgentActivities(OpenAIAgentOptions(api_key="x"))],
        mcp_servers={{"s": MCPServerConfig(type="stdio", command="x")}},
    )
    print(type(worker).__name__)
try:
    asyncio.run(main())
except MissingExtraError as error:
    print(error)
"""


def run(before: str) -> str:
    command = [sys.executable, "-c", PROGRAM.format(before=before)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return result.stdout.strip()


def test_rojak_does_not_import_the_sdk_before_there_is_a_server() -> None:
    assert run("") == "RojakWorker"


def test_without_the_sdk_the_error_names_the_extra() -> None:
    assert run('sys.modules["mcp"] = sys.modules["mcp_types"] = None') == (
        "MCP servers need the mcp package: pip install 'rojak[mcp]'"
    )
