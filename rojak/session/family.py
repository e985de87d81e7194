"""What a session keeps of the sessions that it started for agents called as tools, and of the one that started it.

The two ends talk in messages, by session id: whichever run of the other's workflow is the current one gets them. So
both may roll over at any time, and what has to survive that is here, as data.
"""

from __future__ import annotations

from pydantic import BaseModel

from rojak.session.stored import Stored
from rojak.types.messages import Usage
from rojak.types.session import ResumeRequest, ResumeResponse


class Caller(Stored):
    """The session that this one works for.

    Attributes:
        session_id: of the caller.
        depth: how many callers there are above this session.
        detached: whether the caller went on in another run of its workflow since it started this session. Temporal
            tells that run nothing of this session's end, so it is told by a message.
        seen: number of the last decision that came from the caller.
        reported: ids of the tool calls that the caller knows to wait for approval.
    """

    session_id: str
    depth: int
    detached: bool = False
    seen: int = 0
    reported: list[str] = []


class Delegation(Stored):
    """The session that works on a tool call.

    Attributes:
        session_id: of the session.
        agent_name: of the agent that it began with.
        detached: whether this session rolled over since it started that one.
        requests: what waits for approval there, with the ids that it has there; as much as there is room for.
        withheld: how many more wait there.
        decisions: decisions sent to it.
        unseen: numbers of those that it may not have seen yet, by id of the call that they decide.
        expires_at: when its time is over, in seconds since the epoch.
        usage: tokens that it took, once it is over.
    """

    session_id: str
    agent_name: str
    detached: bool = False
    requests: list[ResumeRequest] = []
    withheld: int = 0
    decisions: int = 0
    unseen: dict[str, int] = {}
    expires_at: float | None = None
    usage: Usage = Usage()


class Decision(BaseModel):
    """A human's decision on its way to the session whose call waits for it."""

    session_id: str
    number: int
    response: ResumeResponse
