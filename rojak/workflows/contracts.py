"""What callers send to a session's workflow, and under which names.

Clients of one version talk to workers of another, so names stay and fields are only ever added, with defaults.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from temporalio.common import SearchAttributeKey, SearchAttributePair

from rojak.session.family import Caller, Decision
from rojak.session.reply import Reply
from rojak.session.state import SessionState
from rojak.session.task import Settings, Task
from rojak.types.messages import ConversationMessage
from rojak.types.session import ResumeRequest, ResumeResponse, SessionType

#: The workflow type in Temporal, and in its UI.
WORKFLOW_NAME = "OrchestratorWorkflow"

#: The workflow type of a schedule's run that is a turn of a session which goes on from run to run.
SCHEDULED_TURN_NAME = "ScheduledTurnWorkflow"
#: Its activities: give the session the task, and ask it for the reply.
DELIVER_TASK = "rojak.deliver_task"
FETCH_REPLY = "rojak.fetch_reply"

UPDATE_ASK = "ask"
UPDATE_RESUME = "resume"
UPDATE_AWAIT = "await_reply"
UPDATE_CONFIG = "update_config"
SIGNAL_REPORT = "rojak.report"
SIGNAL_FROM_CALLER = "rojak.from_caller"
#: Sent to idle sessions when there is a new version of the code: whoever gets a signal looks around.
SIGNAL_NEW_VERSION = "rojak.new_version"
QUERY_CONFIG = "get_config"
QUERY_REPLY = "get_reply"
QUERY_PROGRESS = "get_progress"
QUERY_APPROVALS = "get_approvals"
QUERY_RECEIPT = "rojak.receipt"
QUERY_AWAITED = "rojak.get_awaited"

#: How the identity of a `rojak worker` process begins, by which Temporal and clients know it.
WORKER_IDENTITY = "rojak-worker/"

#: ApplicationError type by which a session that is rolling over asks its caller to come again.
SESSION_DRAINING = "SessionDraining"

#: Shown in Temporal's UI and usable in its list filters, where the namespace has them registered.
AGENT_ATTRIBUTE = SearchAttributeKey.for_keyword("RojakAgent")
STATUS_ATTRIBUTE = SearchAttributeKey.for_keyword("RojakStatus")
STATUS_ACTIVE = "active"
STATUS_WAITING = "waiting_for_approval"


def initial_attributes(agent_name: str | None) -> list[SearchAttributePair[str]]:
    """The search attributes that a session starts with."""
    pairs = [SearchAttributePair(STATUS_ATTRIBUTE, STATUS_ACTIVE)]
    if agent_name is not None:
        pairs.append(SearchAttributePair(AGENT_ATTRIBUTE, agent_tag(agent_name)))
    return pairs


def agent_tag(agent_name: str) -> str:
    """An agent's name as a search attribute: Temporal refuses more than 2 KiB, again and again."""
    return agent_name if len(agent_name.encode()) <= 2048 else agent_name[:500]


class SessionInput(BaseModel):
    """Input of the workflow.

    Attributes:
        type: of the session; what is left out is not in the history.
        task: what a stateless run is to do. A persistent session gets its tasks by updates.
        settings: of a new session.
        state: what a run of the workflow that rolled over left to the next one.
        roll_over_after_events: history events after which the session continues in a new run of the workflow;
            None means 1,200, or fewer where the server suggests it.
        caller: the session that this one works for, where an agent was called as a tool.
        check_interval_in_seconds: how often a session and the sessions that work for it look whether the others are
            still there, when nothing else would tell; None means once an hour.
        superseded: a run before heard that its version of the code is not the current one any more.
        left_version: the version that the run before moved away from.
    """

    type: SessionType = "stateless"
    task: Task | None = None
    settings: Settings = Settings()
    state: SessionState | None = None
    roll_over_after_events: int | None = None
    caller: Caller | None = None
    check_interval_in_seconds: float | None = None
    superseded: bool = False
    left_version: str | None = None


class Ask(BaseModel):
    """A task for a session of this type."""

    task: Task
    type: SessionType = "persistent"


class Resume(BaseModel):
    """A human's decision; ``id`` makes sending it twice the same as sending it once."""

    id: str
    response: ResumeResponse


class ScheduledTurn(BaseModel):
    """Input of a scheduled turn's workflow, and of its activities.

    Attributes:
        session_id: of the persistent session that has the turn; it begins with the first one.
        task: what to do. Its id is another one for each run.
    """

    session_id: str
    task: Task


class ChildReport(BaseModel):
    """What a session tells the one that it works for.

    Attributes:
        session_id: who says so.
        seen: number of the last decision that it had when it said so.
        requests: all that waits for approval now.
        reply: how it ended; nothing follows.
    """

    session_id: str
    seen: int = 0
    requests: list[ResumeRequest] = []
    reply: Reply | None = None


class CallerMessage(BaseModel):
    """What a session tells one that works for it. Without anything it only asks whether the other one is there.

    Attributes:
        decision: a human's, on a call that waits there.
        detach: the caller rolls over: its next run has to be told the answer.
        report_again: the caller had no room for all that waits for approval there, and has now.
    """

    decision: Decision | None = None
    detach: bool = False
    report_again: bool = False


class ConfigChange(BaseModel):
    """New settings and contents; in ``settings`` only the fields that are set count.

    ``id`` makes sending it twice the same as sending it once; one without an id is made each time.
    """

    id: str = ""
    settings: Settings = Settings()
    messages: list[ConversationMessage] | None = None
    context_variables: dict[str, Any] | None = None
