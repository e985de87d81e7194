"""What a session keeps of the sessions that work for it stays true, and small enough to roll over."""

from __future__ import annotations

import uuid

import pytest

from rojak.session.approvals import apply_resume, check_resume, list_approvals, take_decision, take_report
from rojak.session.core import apply, decide
from rojak.session.delegation import MAX_CHILDREN, MAX_DEPTH, open_children, take_requests, take_withheld
from rojak.session.family import Caller, Decision
from rojak.session.intake import enqueue_task
from rojak.session.limits import CHILD_REQUESTS_BYTES, TURN_TRANSCRIPT_BYTES, size_of
from rojak.session.state import Reply, SessionState, Task
from rojak.session.steps import (
    AwaitChildren,
    CallTools,
    CancelChildren,
    ChildAnswered,
    ChildrenAssigned,
    ChildrenExpired,
    ModelReplied,
    StartChildren,
    ToolsAnswered,
    TurnBegun,
)
from rojak.types import (
    Agent,
    AgentTool,
    ConversationMessage,
    FunctionCall,
    Interrupt,
    ResumeRequest,
    ResumeResponse,
    ToolCall,
    Usage,
)
from rojak.types.activities import PatchOperation, ToolReturned
from rojak.types.errors import ToolCallNotPendingError

#: What Temporal takes as one payload.
PAYLOAD_BYTES = 2 * 1024 * 1024


class PlainAgent(Agent):
    type: str = "delegation-test"
    model: str = "m"


HELPER = PlainAgent(name="Helper")
LEAD = PlainAgent(
    name="Lead",
    functions=["f", "asked"],
    interrupts=[Interrupt("asked")],
    tools=[AgentTool(HELPER, "Helps"), AgentTool(HELPER, "Helps", name="hasty", timeout_in_seconds=5)],
)


def asked_for(*names: str, agent: Agent = LEAD) -> SessionState:
    """A session whose model just asked for these calls."""
    state = SessionState()
    enqueue_task(state, Task(id="t", messages=[ConversationMessage(role="user", content="hi")], agent=agent))
    apply(state, TurnBegun(now=0.0))
    calls = [
        ToolCall(id=f"c{index}", function=FunctionCall(name=name, arguments='{"message": "do"}'))
        for index, name in enumerate(names)
    ]
    apply(state, ModelReplied(ConversationMessage(role="assistant", tool_calls=calls), now=0.0))
    return state


def at_work(*names: str) -> SessionState:
    """A session whose sub-agents have begun."""
    state = asked_for(*names)
    apply(state, ChildrenAssigned("s", now=0.0))
    return state


def request(tool_id: str = "x", arguments: str = "{}") -> ResumeRequest:
    return ResumeRequest(tool_id=tool_id, tool_name="pay", tool_arguments=arguments, task_id="task", question="?")


def done(text: str) -> Reply:
    message = ConversationMessage(role="assistant", content=text)
    return Reply(kind="done", task_id="task", messages=[message], session_usage=Usage(input_tokens=5))


def test_sub_agents_begin_before_functions_and_work_beside_them() -> None:
    state = asked_for("f", "helper", "helper")
    step = decide(state)
    assert isinstance(step, StartChildren)
    assert len(step.calls) == 2
    apply(state, ChildrenAssigned("s", now=0.0))
    assert [p.delegation.session_id for p in open_children(state.turn) if p.delegation] == ["s/1.1", "s/1.2"]
    step = decide(state)
    assert isinstance(step, CallTools)
    assert [pending.call.id for pending in step.calls] == ["c0"]
    apply(state, ToolsAnswered({"c0": ToolReturned(output="ok")}))
    assert decide(state) == AwaitChildren(deadline=None)


def test_results_keep_the_order_of_the_calls() -> None:
    state = at_work("helper", "hasty")
    apply(state, ChildAnswered("s/1.2", done("second")))
    assert state.transcript[-1].role == "assistant"
    apply(state, ChildAnswered("s/1.1", done("first")))
    assert [message.text for message in state.transcript[-2:]] == ["first", "second"]
    assert state.transcript[-1].usage == Usage(input_tokens=5)
    assert state.usage == Usage(input_tokens=10)


def test_time_limits_count_from_the_beginning_and_end_the_session() -> None:
    state = at_work("helper", "hasty")
    assert decide(state) == AwaitChildren(deadline=5.0)
    apply(state, ChildrenExpired(now=5.0))
    assert decide(state) == CancelChildren(["s/1.2"])
    assert [p.delegation.session_id for p in open_children(state.turn) if p.delegation] == ["s/1.1"]


def test_a_stale_report_does_not_ask_again() -> None:
    state = at_work("helper")
    assert take_requests(state, "s/1.1", [request("x"), request("y")], seen=0)
    apply_resume(state, ResumeResponse(action="approve", tool_id="c0/x"), "r1")
    # Sent before the decision arrived there.
    assert take_requests(state, "s/1.1", [request("x"), request("y"), request("z")], seen=0)
    assert [r.tool_id for r in list_approvals(state)] == ["c0/y", "c0/z"]
    # A new call with an id that was there before.
    assert take_requests(state, "s/1.1", [request("x")], seen=1)
    assert [r.tool_id for r in list_approvals(state)] == ["c0/x"]


def test_what_waits_is_the_tasks_reply_and_goes_when_it_is_over() -> None:
    state = at_work("helper")
    take_requests(state, "s/1.1", [request()], seen=0)
    assert state.mailbox["t"].kind == "interrupted"
    take_requests(state, "s/1.1", [], seen=0)
    assert "t" not in state.mailbox
    with pytest.raises(ToolCallNotPendingError, match="Waiting now: none"):
        check_resume(state, ResumeResponse(action="approve", tool_id="c0/x"), "r1")


def test_a_decision_goes_down_one_session_at_a_time() -> None:
    state = at_work("helper")
    take_requests(state, "s/1.1", [request("c7/x")], seen=0)
    apply_resume(state, ResumeResponse(action="reject", tool_id="c0/c7/x", content="no"), "r1")
    (decision,) = state.outbox
    assert (decision.session_id, decision.number, decision.response.tool_id) == ("s/1.1", 1, "c7/x")
    assert decision.response.content == "no"


def test_a_child_reports_what_changed_alone_and_takes_late_decisions_calmly() -> None:
    state = asked_for("asked", "asked")
    state.caller = Caller(session_id="s", depth=1)
    assert [r.tool_id for r in take_report(state) or []] == ["c0", "c1"]
    assert take_report(state) is None
    decision = Decision(session_id="me", number=1, response=ResumeResponse(action="approve", tool_id="c0"))
    take_decision(state, decision)
    # The caller took it off its list itself.
    assert take_report(state) is None
    assert state.caller.seen == 1
    before = state.model_dump_json()
    take_decision(state, decision)
    assert state.model_dump_json() == before


def test_nesting_ends() -> None:
    state = asked_for("helper")
    state.caller = Caller(session_id="s", depth=MAX_DEPTH)
    apply(state, ChildrenAssigned("s", now=0.0))
    assert not open_children(state.turn)
    assert "8 deep" in state.transcript[-1].text


def test_a_session_has_so_many_at_work_and_no_more() -> None:
    state = at_work(*["helper"] * (MAX_CHILDREN + 1))
    assert len(open_children(state.turn)) == MAX_CHILDREN


def test_whatever_is_held_the_state_fits_into_a_payload() -> None:
    state = at_work("helper", *["f"] * 10, *["helper"] * 5)
    patch = [PatchOperation(path=["k"], value="v" * 100_000)]
    big = ToolReturned(output="o" * 250_000, patch=patch)
    apply(state, ToolsAnswered({f"c{index}": big for index in range(1, 11)}))
    for number in range(2, 6):
        apply(state, ChildAnswered(f"s/1.{number}", done("a" * 500_000)))
    requests = [request(str(index), '{"x": "' + "ä" * 50_000 + '"}') for index in range(20)]
    take_requests(state, "s/1.1", requests, seen=0)
    assert size_of(state) < PAYLOAD_BYTES
    held = [p.delegation.requests for p in open_children(state.turn) if p.delegation]
    assert sum(size_of(r) for requests in held for r in requests) <= CHILD_REQUESTS_BYTES * 1.5
    for child in ("s/1.1", "s/1.6"):
        apply(state, ChildAnswered(child, done("a" * 500_000)))
    assert state.turn is not None
    assert not state.turn.calls
    assert size_of(state) < PAYLOAD_BYTES


def test_however_many_wait_all_are_asked_in_the_end_and_the_state_stays_small() -> None:
    children = 20
    state = at_work(*["helper"] * children)
    waiting = {f"s/1.{n}": [f"x{m}" for m in range(8)] for n in range(1, children + 1)}
    reported = {
        child: [request(tool_id, '{"x": "' + "a" * 500 + '"}') for tool_id in ids] for child, ids in waiting.items()
    }
    for child, requests in reported.items():
        take_requests(state, child, requests, seen=0)
    asked_again = 0
    while listed := list_approvals(state):
        assert sum(size_of(r) for r in listed) <= CHILD_REQUESTS_BYTES
        assert sum(size_of(r) for r in state.mailbox["t"].interrupts) <= CHILD_REQUESTS_BYTES
        apply_resume(state, ResumeResponse(action="approve", tool_id=listed[0].tool_id), f"r-{uuid.uuid4()}")
        decision = state.outbox.pop()
        reported[decision.session_id] = [
            r for r in reported[decision.session_id] if r.tool_id != decision.response.tool_id
        ]
        for child in take_withheld(state):
            asked_again += 1
            seen = {p.delegation.session_id: p.delegation.decisions for p in open_children(state.turn) if p.delegation}
            take_requests(state, child, reported[child], seen=seen[child])
    assert not any(reported.values())
    # Half the room at a time, and not for every decision.
    assert asked_again < 10 * children


def test_one_request_is_always_asked() -> None:
    state = at_work("helper")
    take_requests(state, "s/1.1", [request("x" * CHILD_REQUESTS_BYTES), request("y")], seen=0)
    assert [len(r.tool_id) for r in list_approvals(state)] == [CHILD_REQUESTS_BYTES + 3]


def test_arguments_that_wait_for_approval_fit_or_fail_the_turn() -> None:
    def with_arguments(size: int) -> SessionState:
        state = SessionState()
        enqueue_task(state, Task(id="t", messages=[ConversationMessage(role="user", content="hi")], agent=LEAD))
        apply(state, TurnBegun(now=0.0))
        large = ToolCall(id="c", function=FunctionCall(name="asked", arguments='{"x": "' + "a" * size + '"}'))
        apply(state, ModelReplied(ConversationMessage(role="assistant", tool_calls=[large]), now=0.0))
        return state

    fits = with_arguments(300_000)
    assert list_approvals(fits)
    assert size_of(fits) <= TURN_TRANSCRIPT_BYTES
    assert with_arguments(700_000).mailbox["t"].error_type == "ConversationTooLongError"
