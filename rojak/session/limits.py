"""How big the parts of a session may grow.

Temporal refuses a payload of more than 2 MiB, and a state that does not fit into one could not roll over. So each part
of the state has a share, and the shares add up to less: 1024 (conversation) + 2 x 128 (context variables, and those
to return to when a turn fails) + 192 (queue) + 128 (mailbox) + 2 x 64 (agents) + 64 (definitions of other agents)
+ 64 (retrieved) + 2 x 32 (what waits for approval in children, as they report it and as callers are told) + 64 (tools
of MCP servers) = 1984 KiB.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic_core import to_json

#: Of the conversation, kept from one turn to the next. Older messages are dropped when it is more.
KEPT_TRANSCRIPT_BYTES = 512 * 1024
#: Of the conversation, within a turn. Tool results are cut to fit; a turn that needs more fails.
TURN_TRANSCRIPT_BYTES = 1024 * 1024
#: Characters of a summary of older messages. While it waits for the next turn it takes the share of what only a turn
#: has: the context variables to return to.
SUMMARY_CHARACTERS = 16_000
#: Of dropped messages that are still there to be asked for. They are no part of the state.
SHELF_BYTES = 128 * 1024
#: Of the context variables.
CONTEXT_BYTES = 128 * 1024
#: Of one agent: its instructions and settings.
AGENT_BYTES = 64 * 1024
#: Of the definitions of agents that are not active now and that the session keeps.
DEFINITIONS_BYTES = 64 * 1024
#: Of the messages of one task given to an idle session, and of all the tasks that wait for a busy one.
TASK_BYTES = 448 * 1024
QUEUE_BYTES = 192 * 1024
#: Of the replies that are kept for callers that come back for them.
MAILBOX_BYTES = 128 * 1024
MAILBOX_REPLIES = 64
#: Of what a retriever found, for the instructions of a turn, and of the notes of what it found where.
RETRIEVED_BYTES = 56 * 1024
RETRIEVALS_BYTES = 8 * 1024
#: Characters of what the user said that a retriever is asked for. Models that embed text read no more.
RETRIEVAL_QUERY_CHARACTERS = 8192
#: Of what a human writes into a resume.
RESUME_BYTES = 32 * 1024
#: Of what waits for approval in sessions that work for this one. The rest is asked when there is room again.
CHILD_REQUESTS_BYTES = 32 * 1024
#: Ids of answered tasks and of applied resumes that are remembered, so that asking twice is noticed.
REMEMBERED_IDS = 512
#: Ids of changes of the settings. A caller that hears nothing sends one again within seconds.
REMEMBERED_CHANGES = 64
#: Of the tools of MCP servers, with their schemas. A server whose tools do not fit has the rest left out.
CATALOG_BYTES = 64 * 1024
#: Tools that one agent offers; providers take no more.
OFFERED_TOOLS = 128
#: A window, context or agent below this travels with each call; a larger one is fetched when needed.
INLINE_BYTES = 3072


def size_of(value: BaseModel | dict[str, Any]) -> int:
    """Bytes of the value as the JSON that a payload holds."""
    if isinstance(value, BaseModel):
        return len(value.__pydantic_serializer__.to_json(value, exclude_unset=True))
    return len(to_json(value))
