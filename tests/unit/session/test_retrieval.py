"""Knowledge in a turn: what is asked, how long it is kept, and what callers are told."""

from __future__ import annotations

from rojak.session.core import apply, decide
from rojak.session.intake import enqueue_task
from rojak.session.limits import RETRIEVAL_QUERY_CHARACTERS, RETRIEVALS_BYTES, size_of
from rojak.session.mailbox import find_reply
from rojak.session.state import SessionState, Task
from rojak.session.steps import (
    BeginTurn,
    CallModel,
    FinishTurn,
    ModelReplied,
    Retrieve,
    Retrieved,
    ToolsAnswered,
    TurnBegun,
    TurnFinished,
)
from rojak.types import Agent, ConversationMessage, FunctionCall, Retriever, ToolCall
from rojak.types.activities import RetrieveResult, ToolReturned


class ShelfRetriever(Retriever):
    type: str = "unit-shelf"


class ReaderAgent(Agent):
    type: str = "unit-reader"
    model: str = "m"


READER = ReaderAgent(name="Reader", functions=["f"], retriever=ShelfRetriever(name="one"))
FOUND = RetrieveResult(text="[page 1] known", sources=["page 1"])
ANSWER = ConversationMessage(role="assistant", content="fine")


def ask(state: SessionState, task_id: str, said: str = "What is known?", agent: Agent = READER) -> None:
    enqueue_task(state, Task(id=task_id, messages=[ConversationMessage(role="user", content=said)], agent=agent))
    assert isinstance(decide(state), BeginTurn)
    apply(state, TurnBegun())


def finish(state: SessionState) -> None:
    apply(state, ModelReplied(ANSWER, 0.0))
    assert isinstance(decide(state), FinishTurn)
    apply(state, TurnFinished())


def test_it_is_asked_for_what_the_user_said_last_and_forgotten_with_the_turn() -> None:
    state = SessionState()
    ask(state, "first")
    assert decide(state) == Retrieve(query="What is known?")
    apply(state, Retrieved(FOUND))
    assert isinstance(decide(state), CallModel)
    assert state.turn is not None
    assert state.turn.retrieved == FOUND.text
    finish(state)
    assert "known" not in state.model_dump_json(include={"transcript", "turn", "agent"}).replace("What is known?", "")
    ask(state, "second", "And now?")
    assert decide(state) == Retrieve(query="And now?")


def test_a_very_long_message_is_not_asked_for_as_a_whole() -> None:
    state = SessionState()
    ask(state, "first", "x" * 100_000)
    step = decide(state)
    assert isinstance(step, Retrieve)
    assert len(step.query) == RETRIEVAL_QUERY_CHARACTERS


def test_the_reply_says_what_was_found_where_or_why_not() -> None:
    state = SessionState()
    ask(state, "found")
    apply(state, Retrieved(FOUND))
    finish(state)
    ask(state, "failed")
    apply(state, Retrieved(RetrieveResult(error_type="RetrievalError", reason="it is down")))
    finish(state)
    found, failed = (find_reply(state, task_id) for task_id in ("found", "failed"))
    assert found is not None
    assert failed is not None
    assert [(r.index, r.agent_name, r.retriever, r.sources) for r in found.retrievals] == [
        (1, "Reader", "unit-shelf/one", ["page 1"])
    ]
    assert [(r.index, r.error_type, r.reason) for r in failed.retrievals] == [(3, "RetrievalError", "it is down")]


def test_an_agent_that_is_handed_to_is_not_given_what_was_found_for_another() -> None:
    state = SessionState()
    ask(state, "first")
    apply(state, Retrieved(FOUND))
    call = ToolCall(id="c", function=FunctionCall(name="f"))
    apply(state, ModelReplied(ConversationMessage(role="assistant", tool_calls=[call]), 0.0))
    apply(state, ToolsAnswered({"c": ToolReturned(output="ok", agent=ReaderAgent(name="Other"))}))
    assert isinstance(decide(state), CallModel)
    assert state.turn is not None
    assert state.turn.retrieved is None


def test_notes_of_very_many_look_ups_stay_small() -> None:
    state = SessionState()
    ask(state, "first")
    sources = [f"{number}" * 50 for number in range(20)]
    for number in range(40):
        apply(state, Retrieved(RetrieveResult(text="known", sources=sources)))
        call = ToolCall(id=f"c{number}", function=FunctionCall(name="f"))
        apply(state, ModelReplied(ConversationMessage(role="assistant", tool_calls=[call]), 0.0))
        apply(state, ToolsAnswered({call.id: ToolReturned(output="ok", agent=READER)}))
    assert state.turn is not None
    assert 0 < len(state.turn.retrievals) < 40
    assert sum(map(size_of, state.turn.retrievals)) <= RETRIEVALS_BYTES
