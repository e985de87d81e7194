"""The class that applications use."""

from __future__ import annotations

import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import aclosing
from typing import Any, Literal, TypeVar

from temporalio.client import Client, ScheduleHandle, ScheduleSpec

from rojak.agents.base import AgentActivities
from rojak.agents.streaming import TextSink
from rojak.client.checks import check_id, check_instance, check_timeout
from rojak.client.conversations import ConversationReader
from rojak.client.events import Event
from rojak.client.gateway import SessionGateway
from rojak.client.patience import wait_for
from rojak.client.requests import read_request
from rojak.client.responses import RunResponse
from rojak.client.runs import SessionRuns
from rojak.client.schedules import create_schedule, list_scheduled_runs
from rojak.client.settings import new_settings
from rojak.client.tasks import make_task, storable
from rojak.client.unserved import Unserved, find_unserved
from rojak.retrievers.base import RetrieverActivities
from rojak.types.agent import Agent
from rojak.types.compaction import Compaction
from rojak.types.errors import ConfigurationError
from rojak.types.mcp import MCPServerConfig
from rojak.types.session import (
    OrchestratorResponse,
    ResumeRequest,
    ResumeResponse,
    SessionConfig,
    SessionType,
    TaskParams,
    UpdateConfigParams,
)
from rojak.worker import RojakWorker
from rojak.workflows import contracts
from rojak.workflows.contracts import ConfigChange
from rojak.workflows.converter import derive_client

T = TypeVar("T")

#: How Temporal names the status of a run.
RunStatus = Literal["Running", "Completed", "Failed", "Canceled", "Terminated", "ContinuedAsNew", "TimedOut"]


class Rojak:
    """Runs agents on a task queue: starts and asks sessions, and makes the workers that carry them.

    Args:
        client: a plain connected Temporal client. Rojak derives its own from it, with the data converter it needs.
        task_queue: where the workers are.
        no_worker_timeout: seconds that a call waits while nobody polls the task queue; None waits for ever.
        roll_over_after_events: history events after which a session goes on in a new run of its workflow; None
            means 1,200, about 110 turns.
    """

    def __init__(
        self,
        client: Client,
        task_queue: str,
        *,
        no_worker_timeout: float | None = 60.0,
        roll_over_after_events: int | None = None,
    ) -> None:
        if not isinstance(client, Client):
            raise ConfigurationError(
                f"Rojak needs a connected client, await Client.connect(...), not a {type(client).__name__}"
            )
        self.client = derive_client(client)
        self.task_queue = check_id("task_queue", task_queue)
        self._no_worker_timeout = no_worker_timeout
        self._gateway = SessionGateway(self.client, task_queue, roll_over_after_events)
        self._conversations = ConversationReader(self._gateway)
        self._runs = SessionRuns(self._gateway, self._conversations)
        self._workers: weakref.WeakSet[RojakWorker] = weakref.WeakSet()

    def create_worker(
        self,
        agent_activities: Sequence[AgentActivities | RetrieverActivities],
        mcp_servers: dict[str, MCPServerConfig] | None = None,
        *,
        agents: Iterable[Agent] = (),
        retriever_activities: Sequence[RetrieverActivities] | None = None,
        text_sink: TextSink | None = None,
        **worker_options: Any,
    ) -> RojakWorker:
        """A worker for sessions and for the model and tool calls of these activities.

        Args:
            agent_activities: one for each provider; retriever activities may be among them.
            mcp_servers: servers whose tools agents can call, by a name of your own.
            agents: those that sessions may name: ``TaskParams(agent=AgentRef("triage"))``.
            retriever_activities: one for each kind of store.
            text_sink: where text goes while it is generated, for `stream`. Default: heartbeats.
            worker_options: anything else that `temporalio.worker.Worker` takes.

        Returns:
            The worker; it may be awaited or not. ``await worker.run()`` or ``async with worker:`` starts it.

        Raises:
            ConfigurationError: no activities, or two for one provider, or something that is none.
            MissingExtraError: there are MCP servers and the SDK is not installed.
        """
        if not isinstance(agent_activities, list | tuple):
            raise ConfigurationError("create_worker takes a list: create_worker([OpenAIAgentActivities(...)])")
        worker = RojakWorker(
            self.client,
            self.task_queue,
            [*agent_activities, *(retriever_activities or [])],
            agents=agents,
            mcp_servers=mcp_servers,
            text_sink=text_sink,
            worker_options=worker_options,
        )
        self._workers.add(worker)
        return worker

    async def cleanup_mcp(self) -> None:
        """End the connections of this object's workers to MCP servers, and the processes started for them.

        A worker does so by itself when it stops; this is for programs that end in another way.
        """
        for worker in list(self._workers):
            await worker.close_mcp()

    async def run(
        self,
        id: str,  # noqa: A002 - the name that users know
        type: SessionType | None = None,  # noqa: A002 - the name that users know
        task: TaskParams | None = None,
        resume: ResumeResponse | None = None,
        context_variables: dict[str, Any] | None = None,
        max_turns: float | None = None,
        history_size: float | None = None,
        debug: bool | None = None,
        *,
        task_id: str | None = None,
        timeout: float | None = None,
        max_tool_calls: float | None = None,
        max_tokens_total: float | None = None,
        run_timeout: float | None = None,
        compaction: Compaction | Literal[False] | None = None,
    ) -> RunResponse:
        """Give a task to an agent, or a decision to a tool call that waits for one, and wait for what comes of it.

        Args:
            id: of the session. Persistent sessions are continued under it; a stateless run needs one of its own.
            type: ``"persistent"`` keeps the conversation for further runs; ``"stateless"``, the default, ends with
                this one.
            task: what to do.
            resume: the decision on a `ResumeRequest` that an earlier run returned.
            context_variables: merged into those of the task and, in a persistent session, those it has.
            max_turns: messages (of the model and of tools) that may be generated. A new session has no limit; later
                runs keep the one it has.
            history_size: messages that a persistent session keeps from one turn to the next. A new session keeps 10;
                later runs keep what it has.
            debug: whether the worker logs each step. Later runs keep what the session has.
            task_id: names the task, so that sending it again (after a crash of the caller) does not do it again.
                Made up when left out.
            timeout: seconds to wait. The run goes on when they have passed.
            max_tool_calls: tool calls that the run may make. Of a step that asks for more, the first ones are made.
            max_tokens_total: tokens, input and output together, after which the model is not called again.
            run_timeout: seconds that the run may take, counted from the beginning of its turn, in the middle of a
                model call, a tool call or an approval too. Limits are kept as ``max_turns`` is; a run that reaches
                one ends with ``result.limit``.
            compaction: when a persistent session summarises its older messages, instead of dropping what
                ``history_size`` does not keep; False for not at all. Later runs keep what it has.

        Raises:
            ConfigurationError: the call itself is wrong.
            OutputValidationError: the answers did not fit the agent's ``output_type``; a RunFailedError.
            RunFailedError: the turn failed. A persistent session is as before and stays usable.
            RunCancelledError: the session was cancelled meanwhile.
            SessionTypeError: a live session of that id has another type.
            SessionNotFoundError: there is no session to resume.
            ToolCallNotPendingError: the tool call waits for no approval.
            PayloadTooLargeError: the task is too large.
            RunTimeoutError: ``timeout`` passed.
            NoWorkerError: nobody works on the session's task queue, or on the one of an agent that it waits for.
        """
        request = read_request(
            "run",
            id,
            type,
            task,
            resume,
            context_variables,
            task_id=task_id,
            timeout=timeout,
            max_turns=max_turns,
            history_size=history_size,
            debug=debug,
            max_tool_calls=max_tool_calls,
            max_tokens_total=max_tokens_total,
            run_timeout=run_timeout,
            compaction=compaction,
        )
        return (await self._patiently(self._runs.do(request), request.timeout, session=id)).response

    async def stream(
        self,
        id: str,  # noqa: A002 - the name that users know
        type: SessionType | None = None,  # noqa: A002 - the name that users know
        task: TaskParams | None = None,
        resume: ResumeResponse | None = None,
        context_variables: dict[str, Any] | None = None,
        max_turns: float | None = None,
        history_size: float | None = None,
        debug: bool | None = None,
        *,
        task_id: str | None = None,
        timeout: float | None = None,
        max_tool_calls: float | None = None,
        max_tokens_total: float | None = None,
        run_timeout: float | None = None,
        compaction: Compaction | Literal[False] | None = None,
    ) -> AsyncGenerator[Event, None]:
        """As `run`, event by event: started, text, tool calls and results, hand-offs; last, an answer or a request.

        Leaving the loop early leaves the run alone: it goes on. Arguments and errors are those of `run`.
        """
        request = read_request(
            "stream",
            id,
            type,
            task,
            resume,
            context_variables,
            task_id=task_id,
            timeout=timeout,
            stream=True,
            max_turns=max_turns,
            history_size=history_size,
            debug=debug,
            max_tool_calls=max_tool_calls,
            max_tokens_total=max_tokens_total,
            run_timeout=run_timeout,
            compaction=compaction,
        )
        deriver, followed = await self._patiently(self._runs.begin_events(request), None)
        work = self._patiently(self._runs.do(request), request.timeout, session=id)
        async with aclosing(self._runs.follow(id, deriver, followed, work)) as events:
            async for event in events:
                yield event

    async def get_result(
        self,
        id: str,  # noqa: A002 - the name that users know
        task_id: str | None = None,
        *,
        timeout: float | None = None,
        output_type: Any | None = None,
    ) -> OrchestratorResponse | ResumeRequest:
        """The result of a task, awaited if it is in progress; from any process, at any time.

        Args:
            id: of the session, or of a scheduled run.
            task_id: as a `RunResponse` named it; the latest task when left out.
            timeout: seconds to wait.
            output_type: what ``result.output`` is to be, where this process did not make the agent: the type that
                the agent was made with, or ``dict`` for the data as it is.

        Raises:
            OutputValidationError: the answer cannot be read as ``output_type``.
            SessionNotFoundError: no such session.
            ResultNotFoundError: the session does not know the task, or keeps its reply no more.
            RunFailedError: the task failed.
            RunCancelledError: the session was cancelled.
        """
        timeout = check_timeout(timeout)
        work = self._runs.get_result(id, task_id, output_type)
        return await self._patiently(work, timeout, of=id, session=id)

    #: Another name of `get_result`.
    get_run_result = get_result

    async def get_config(self, id: str) -> SessionConfig:  # noqa: A002 - the name that users know
        """A session's settings, conversation, agent and context variables.

        Raises:
            SessionNotFoundError: no such session.
            NoWorkerError: nobody is there to answer.
        """
        config: SessionConfig = await self._patiently(
            self._gateway.query(id, contracts.QUERY_CONFIG, [], SessionConfig), None, of=id
        )
        return config

    async def update_config(self, id: str, params: UpdateConfigParams) -> None:  # noqa: A002 - the name that users know
        """Change a persistent session's settings or contents; what ``params`` leaves out stays.

        Raises:
            SessionNotFoundError: no such session is running.
            SessionBusyError: messages are to be replaced in the middle of a turn.
            PayloadTooLargeError: too large.
        """
        check_instance("params", params, UpdateConfigParams)
        change = ConfigChange(
            settings=new_settings(
                max_turns=params.max_turns,
                history_size=params.history_size,
                debug=params.debug,
                max_tool_calls=params.max_tool_calls,
                max_tokens_total=params.max_tokens_total,
                run_timeout=params.run_timeout,
                compaction=params.compaction,
            )
        )
        if params.messages is not None:
            change.messages = params.messages
        if params.context_variables is not None:
            change.context_variables = storable(params.context_variables)
        self._conversations.forget(id)
        await self._patiently(self._gateway.change_config(id, change), None, of=id)

    async def get_pending_approvals(self, id: str) -> list[ResumeRequest]:  # noqa: A002 - the name that users know
        """The tool calls of a session that wait for a human, in the model's order.

        Raises:
            SessionNotFoundError: no such session.
            NoWorkerError: nobody is there to answer.
        """
        requests: list[ResumeRequest] = await self._patiently(
            self._gateway.query(id, contracts.QUERY_APPROVALS, [], list[ResumeRequest]), None, of=id
        )
        return requests

    async def find_unserved(self, id: str) -> list[Unserved]:  # noqa: A002 - the name that users know
        """The agents that a session waits for and that no worker serves; the session goes on when one does.

        Agents that work for it as tools, and those that these wait for, are among them. Empty where all is well, and
        where nobody can tell.
        """
        return await find_unserved(self.client, check_id("id", id))

    async def cancel(self, id: str) -> None:  # noqa: A002 - the name that users know
        """End a session: the turn in progress is broken off, and whoever waits gets a `RunCancelledError`.

        Returns when the session has ended. Where no worker is there to end it, after a few seconds, with the
        cancellation waiting for one.

        Raises:
            SessionNotFoundError: no such session is running.
        """
        self._conversations.forget(id)
        await self._gateway.cancel(id)

    async def create_schedule(
        self,
        schedule_id: str,
        schedule_spec: ScheduleSpec,
        task: TaskParams,
        context_variables: dict[str, Any] | None = None,
        max_turns: float | None = None,
        history_size: float | None = None,
        debug: bool | None = None,
        *,
        max_tool_calls: float | None = None,
        max_tokens_total: float | None = None,
        run_timeout: float | None = None,
        session: Literal["new", "continued"] = "new",
    ) -> ScheduleHandle:
        """Run a task at set times, each time as a stateless run of its own, or as the next turn of one session.

        Args:
            schedule_id: of the schedule.
            schedule_spec: when.
            task: what to do.
            context_variables: merged into those of the task.
            max_turns: messages that a run may generate.
            history_size: has no effect on runs of one turn.
            debug: whether the worker logs each step.
            max_tool_calls: tool calls that a run may make.
            max_tokens_total: tokens after which a run's model is not called again.
            run_timeout: seconds that a run may take.
            session: ``"continued"`` sends the task to one persistent session each time, whose id is the schedule's.

        Raises:
            ConfigurationError: there is a schedule of that id, or ``session`` is neither of the two.
        """
        if session not in ("new", "continued"):
            raise ConfigurationError(f"session is {session!r}; say 'new' or 'continued'")
        settings = new_settings(
            max_turns=max_turns,
            history_size=history_size,
            debug=debug,
            max_tool_calls=max_tool_calls,
            max_tokens_total=max_tokens_total,
            run_timeout=run_timeout,
        )
        new_task = make_task(task, context_variables, settings, task_id="scheduled")
        return await create_schedule(
            self._gateway, schedule_id, schedule_spec, new_task, continued=session == "continued"
        )

    def list_scheduled_runs(self, schedule_id: str, statuses: Sequence[RunStatus] | None = None) -> AsyncIterator[str]:
        """Ids of the runs that a schedule started, the newest first; `get_result` takes them.

        Args:
            schedule_id: of the schedule.
            statuses: only runs of these statuses in Temporal, for instance ``["Completed"]``.
        """
        return list_scheduled_runs(self.client, schedule_id, statuses)

    async def _patiently(
        self, work: Coroutine[Any, Any, T], timeout: float | None, *, of: str | None = None, session: str | None = None
    ) -> T:
        """Wait for ``work``.

        Args:
            work: what to wait for.
            timeout: seconds to wait.
            of: the session that it is about, if there is one already; None where it may begin one.
            session: the session that has something to do for it.
        """

        async def find_queue() -> str:
            return self.task_queue if of is None else await self._gateway.queue_of(of)

        return await wait_for(
            work,
            client=self.client,
            find_queue=find_queue,
            find_unserved=None if session is None else lambda: find_unserved(self.client, session),
            timeout=timeout,
            no_worker_timeout=self._no_worker_timeout,
        )
