"""A client in a process of its own that approves what waits in a session, and prints the answer."""

from __future__ import annotations

import asyncio
import sys

from temporalio.client import Client

from rojak import Rojak
from rojak.types import OrchestratorResponse, ResumeResponse


async def main(address: str, task_queue: str, session_id: str) -> None:
    rojak = Rojak(await Client.connect(address), task_queue)
    (request,) = await rojak.get_pending_approvals(session_id)
    response = await rojak.run(id=session_id, resume=ResumeResponse(action="approve", tool_id=request.tool_id))
    assert isinstance(response.result, OrchestratorResponse)
    print([message.text for message in response.result.messages])


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
