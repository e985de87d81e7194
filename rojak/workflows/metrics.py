"""What sessions count, and where they tell a tracer how they went.

Metrics are on the meter of the worker's Temporal runtime: never counted twice, however often a workflow replays. Labels
are names that a developer gave. Nothing that was said, and no id, is among them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from temporalio import workflow

from rojak.session.approvals import waiting_calls
from rojak.session.state import SessionState
from rojak.session.steps import ApprovalsExpired, Outcome, TurnBegun
from rojak.session.turn import CallOutcome, PendingCall, Turn
from rojak.types.activities import RetrieveResult, ToolReturned
from rojak.types.retriever import Retriever
from rojak.workflows.tracing import trace_handoff, trace_turn


def count_retrieval(retriever: Retriever, result: RetrieveResult) -> None:
    """Count a look-up by how it ended: it found something, nothing, or failed."""
    outcome = "failed" if result.text is None else "found" if result.text else "empty"
    _count(
        "rojak_retrievals",
        "Look-ups of retrievers, by how they ended: found, empty, failed.",
        retriever=retriever.label,
        outcome=outcome,
    )


def count_tool_call(agent_name: str, pending: PendingCall, outcome: CallOutcome) -> None:
    """Count a tool call by its kind and how it ended. Its tool is one that the agent offers, so its name is known."""
    _count(
        "rojak_tool_calls",
        "Tool calls that were made, by how they ended: returned, failed.",
        agent=agent_name,
        tool=pending.call.function.name,
        kind=pending.route.kind,
        outcome="returned" if isinstance(outcome, ToolReturned) else "failed",
    )


def count_decision(state: SessionState, pending: PendingCall, action: Literal["approve", "reject"]) -> None:
    """Count what a human decided."""
    outcome = "approved" if action == "approve" else "rejected"
    _count_approval(state.agent.name if state.agent else "", pending.call.function.name, outcome)


class SessionMeter:
    """Counts what the steps of one run of a session's workflow come to."""

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self._turn: Turn | None = None
        self._agent = ""
        self._handoffs = 0
        self._waiting: dict[str, PendingCall] = {}

    def before(self) -> None:
        """Look at the session before an outcome is applied."""
        state = self._state
        self._turn = state.turn
        self._agent = state.agent.name if state.agent else ""
        self._handoffs = len(state.turn.handoffs) if state.turn else 0
        self._waiting = {pending.call.id: pending for pending in waiting_calls(state.turn)}

    def after(self, outcome: Outcome) -> None:
        """Count what the outcome changed."""
        state, turn = self._state, self._turn
        if isinstance(outcome, TurnBegun) and state.agent is not None:
            _count("rojak_turns", "Turns that began.", agent=state.agent.name)
        waiting = {pending.call.id: pending for pending in waiting_calls(state.turn)}
        for call_id, pending in waiting.items():
            if call_id not in self._waiting:
                _count_approval(self._agent_now(), pending.call.function.name, "requested")
        if isinstance(outcome, ApprovalsExpired):
            for call_id, pending in self._waiting.items():
                if call_id not in waiting:
                    _count_approval(self._agent, pending.call.function.name, "expired")
        if state.turn is not None:
            for handoff in state.turn.handoffs[self._handoffs :]:
                _count("rojak_handoffs", "Hand-offs.", agent=handoff.from_agent, to=handoff.to_agent)
                trace_handoff(state.turn, handoff.from_agent, handoff.to_agent)
        if turn is not None and state.turn is None:
            self._count_run(turn)

    def count_cancelled(self) -> None:
        """The session ends while a turn is in progress."""
        if self._state.turn is not None:
            _record_run(self._state.turn, self._agent_now(), "cancelled")

    def _agent_now(self) -> str:
        return self._state.agent.name if self._state.agent else self._agent

    def _count_run(self, turn: Turn) -> None:
        reply = self._state.mailbox.get(turn.task_id)
        if reply is None:
            return
        outcome = "failed" if reply.kind == "failed" else "answered" if reply.limit is None else "limited"
        _record_run(turn, self._agent, outcome, reply.error_type)


def _record_run(turn: Turn, agent_name: str, outcome: str, error_type: str | None = None) -> None:
    _count(
        "rojak_runs",
        "Runs that ended, by the agent that ended them and how: answered, limited, failed, cancelled.",
        agent=agent_name,
        outcome=outcome,
    )
    trace_turn(turn, agent_name, outcome, error_type)
    # A turn of before there was this field began at an unknown time.
    if turn.began:
        histogram = workflow.metric_meter().create_histogram_timedelta(
            "rojak_run_duration", "How long runs took, waiting for humans included."
        )
        took = timedelta(seconds=workflow.time() - turn.began)
        histogram.record(took, {"agent": agent_name, "outcome": outcome})


def _count_approval(agent_name: str, tool_name: str, outcome: str) -> None:
    _count(
        "rojak_approvals",
        "Tool calls that a human was asked about: requested, approved, rejected, expired.",
        agent=agent_name,
        tool=tool_name,
        outcome=outcome,
    )


def _count(name: str, description: str, **labels: str) -> None:
    workflow.metric_meter().create_counter(name, description).add(1, labels)
