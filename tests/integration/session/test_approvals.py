"""Tool calls that wait for humans: one or several, in any order, from anywhere, with or without a time limit."""

from __future__ import annotations

import asyncio

import pytest

from rojak import Rojak
from rojak.agents import Interrupt, OpenAIAgent
from rojak.types import OrchestratorResponse, ResumeRequest, ResumeResponse
from rojak.types.errors import (
    ConfigurationError,
    RunFailedError,
    SessionNotFoundError,
    ToolCallNotPendingError,
)
from tests.integration.session.conftest import answer, task, until_session_knows
from tests.integration.session.team import NAMES

pytestmark = pytest.mark.usefixtures("worker")

TYPES = pytest.mark.parametrize("session_type", ["stateless", "persistent"])


def request_of(result: object) -> ResumeRequest:
    assert isinstance(result, ResumeRequest), result
    return result


@TYPES
async def test_an_approved_call_is_made(rojak: Rojak, session_id: str, session_type: str) -> None:
    response = await rojak.run(id=session_id, type=session_type, task=task('call pay {"amount": 5}', "echo"))
    request = request_of(response.result)
    assert (request.tool_name, request.tool_arguments, request.task_id, request.when) == (
        "pay",
        '{"amount": 5}',
        response.task_id,
        "before",
    )
    assert "pay" in request.question
    final = await rojak.run(id=session_id, resume=ResumeResponse(action="approve", tool_id=request.tool_id))
    assert answer(final.result) == "paid 5"
    assert final.result.messages[0].text == 'call pay {"amount": 5}\necho'


async def test_a_rejected_call_is_not_made_and_the_model_hears_why(rojak: Rojak, session_id: str) -> None:
    request = request_of((await rojak.run(id=session_id, task=task("call pay", "echo"))).result)
    reject = ResumeResponse(action="reject", tool_id=request.tool_id, content="Too expensive.")
    final = await rojak.run(id=session_id, resume=reject)
    assert "rejected" in answer(final.result)
    assert "Too expensive." in answer(final.result)


async def test_a_misspelt_interrupt_lets_no_call_through(rojak: Rojak, session_id: str) -> None:
    agent = OpenAIAgent(name="Clerk", functions=NAMES, interrupts=[Interrupt("payy")])
    with pytest.raises(RunFailedError, match=r"ConfigurationError: .*interrupt for 'payy'.*Did you mean 'pay'\?"):
        await rojak.run(id=session_id, task=task("call pay", "echo", agent=agent))


async def test_a_call_can_be_changed_on_approval(rojak: Rojak, session_id: str) -> None:
    request = request_of((await rojak.run(id=session_id, task=task('call pay {"amount": 500}', "echo"))).result)
    approve = ResumeResponse(action="approve", tool_id=request.tool_id, tool_arguments={"amount": 5})
    assert answer((await rojak.run(id=session_id, resume=approve)).result) == "paid 5"


@TYPES
async def test_several_calls_wait_at_once_and_are_resolved_in_any_order(
    rojak: Rojak, session_id: str, session_type: str
) -> None:
    script = task('call pay {"amount": 1}; add; refund; pay {"amount": 2}', "echo")
    first = request_of((await rojak.run(id=session_id, type=session_type, task=script)).result)
    pending = await rojak.get_pending_approvals(session_id)
    assert [request.tool_name for request in pending] == ["pay", "refund", "pay"]
    assert pending[0] == first
    for request, action in ((pending[2], "approve"), (pending[0], "approve")):
        response = await rojak.run(id=session_id, resume=ResumeResponse(action=action, tool_id=request.tool_id))
        assert request_of(response.result) in pending
    reject = ResumeResponse(action="reject", tool_id=pending[1].tool_id)
    final = (await rojak.run(id=session_id, resume=reject)).result
    paid, added, refunded, paid_again = answer(final).split(" | ")
    assert (paid, added, paid_again) == ("paid 1", "sum is 1", "paid 2")
    assert "rejected" in refunded


async def test_approvals_sent_at_the_same_time_all_count(rojak: Rojak, session_id: str) -> None:
    script = task("call pay; refund; pay", "echo")
    await rojak.run(id=session_id, type="persistent", task=script)
    pending = await rojak.get_pending_approvals(session_id)
    responses = await asyncio.gather(
        *(
            rojak.run(id=session_id, resume=ResumeResponse(action="approve", tool_id=request.tool_id))
            for request in pending
        )
    )
    answers = [r.result for r in responses if isinstance(r.result, OrchestratorResponse)]
    assert answer(answers[0]) == "paid 1 | refunded 1 | paid 1"


async def test_another_process_can_resume(rojak: Rojak, session_id: str) -> None:
    request = request_of((await rojak.run(id=session_id, task=task("call pay", "echo"))).result)
    other = Rojak(rojak.client, task_queue=rojak.task_queue)
    assert await other.get_result(session_id) == request
    final = await other.run(id=session_id, resume=ResumeResponse(action="approve", tool_id=request.tool_id))
    assert [m.text for m in final.result.messages][::3] == ["call pay\necho", "paid 1"]


async def test_a_task_sent_while_a_call_waits_has_its_turn_after_the_resume(rojak: Rojak, session_id: str) -> None:
    request = request_of((await rojak.run(id=session_id, type="persistent", task=task("call pay", "echo"))).result)
    later = asyncio.create_task(rojak.run(id=session_id, type="persistent", task=task("say later"), task_id="later"))
    final = await rojak.run(id=session_id, resume=ResumeResponse(action="approve", tool_id=request.tool_id))
    assert answer(final.result) == "paid 1"
    response = await later
    assert response.task_id == "later"
    assert [m.text for m in response.result.messages][-3:] == ["paid 1", "say later", "later"]


# With each task replaying from the start the SDK drops tasks now and then, and each costs 10 s: see docs/limits.md.
@pytest.mark.parametrize("worker_options", [{}], ids=["cached"])
async def test_a_decision_gets_through_however_many_tasks_wait_for_it(rojak: Rojak, session_id: str) -> None:
    request = request_of((await rojak.run(id=session_id, type="persistent", task=task("call pay", "echo"))).result)
    # More than the updates that the server lets a workflow have in progress.
    later = [
        asyncio.create_task(rojak.run(id=session_id, type="persistent", task=task(f"say {n}"), task_id=f"later-{n}"))
        for n in range(15)
    ]
    for n in range(15):
        await until_session_knows(rojak, session_id, f"later-{n}", patience=60)
    approve = ResumeResponse(action="approve", tool_id=request.tool_id)
    async with asyncio.timeout(60):
        final = await rojak.run(id=session_id, resume=approve)
        assert answer(final.result) == "paid 1"
        assert [answer((await response).result) for response in later] == [str(n) for n in range(15)]


async def test_an_unknown_or_resolved_call_is_an_error_that_changes_nothing(rojak: Rojak, session_id: str) -> None:
    request = request_of((await rojak.run(id=session_id, type="persistent", task=task("call pay", "echo"))).result)
    with pytest.raises(ToolCallNotPendingError, match="'nonsense'.*Waiting now: " + request.tool_id):
        await rojak.run(id=session_id, resume=ResumeResponse(action="approve", tool_id="nonsense"))
    assert await rojak.get_pending_approvals(session_id) == [request]
    approve = ResumeResponse(action="approve", tool_id=request.tool_id)
    assert answer((await rojak.run(id=session_id, resume=approve)).result) == "paid 1"
    with pytest.raises(ToolCallNotPendingError, match="Waiting now: none"):
        await rojak.run(id=session_id, resume=approve)
    assert answer((await rojak.run(id=session_id, type="persistent", task=task("say on"))).result) == "on"


async def test_a_finished_session_cannot_be_resumed(rojak: Rojak, session_id: str) -> None:
    await rojak.run(id=session_id, task=task("say Hi"))
    with pytest.raises(SessionNotFoundError, match=session_id):
        await rojak.run(id=session_id, resume=ResumeResponse(action="approve", tool_id="x"))


async def test_a_resume_and_a_task_do_not_go_together(rojak: Rojak, session_id: str) -> None:
    with pytest.raises(ConfigurationError, match="not both"):
        await rojak.run(id=session_id, task=task("say Hi"), resume=ResumeResponse(action="approve", tool_id="x"))


def agent_with(interrupt: Interrupt) -> OpenAIAgent:
    return OpenAIAgent(name="A", functions=NAMES, interrupts=[interrupt])


@pytest.mark.parametrize(("on_timeout", "expected"), [("reject", "Nobody approved"), ("approve", "paid 1")])
async def test_the_time_limit_of_an_approval_acts_as_the_interrupt_says(
    rojak: Rojak, session_id: str, on_timeout: str, expected: str
) -> None:
    agent = agent_with(Interrupt("pay", timeout_in_seconds=0.5, on_timeout=on_timeout))
    response = await rojak.run(id=session_id, type="persistent", task=task("call pay", "echo", agent=agent))
    request = request_of(response.result)
    assert request.expires_at is not None
    assert expected in answer(await until_answered(rojak, session_id, response.task_id))


async def test_an_approval_that_is_missed_can_fail_the_turn(rojak: Rojak, session_id: str) -> None:
    agent = agent_with(Interrupt("pay", timeout_in_seconds=0.5, on_timeout="fail"))
    response = await rojak.run(id=session_id, type="persistent", task=task("call pay", "echo", agent=agent))
    with pytest.raises(RunFailedError, match="ApprovalTimeoutError.*pay"):
        await until_answered(rojak, session_id, response.task_id)
    assert (await rojak.get_config(session_id)).messages == []


async def test_a_call_that_nobody_may_make_needs_no_approval(rojak: Rojak, session_id: str) -> None:
    agent = OpenAIAgent(name="A", functions=["add"], interrupts=[Interrupt("pay")])
    response = await rojak.run(id=session_id, task=task("call pay", "echo", agent=agent))
    assert "no function 'pay'" in answer(response.result)


async def until_answered(rojak: Rojak, session_id: str, task_id: str) -> OrchestratorResponse:
    """The answer, once the request for approval is over."""
    async with asyncio.timeout(10):
        while isinstance(result := await rojak.get_result(session_id, task_id), ResumeRequest):
            await asyncio.sleep(0.05)
    return result
