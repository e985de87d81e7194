"""Answers that do not fit their agent's schema: what the model is told, and what the caller is when it gives up."""

from __future__ import annotations

from rojak.types.activities import OutputProblem


def correction(problem: OutputProblem) -> str:
    """What the model is told, so that it can answer again."""
    return (
        f"Your answer does not have the form that is asked for. {problem.message}\n"
        "Answer again, with nothing but a JSON object that fits the schema."
    )


def describe_misfit(agent_name: str, problem: OutputProblem, answers: int) -> str:
    """Why the turn fails. It goes into logs, so it quotes nothing of the answer."""
    where = f"field {problem.field!r}" if problem.field else "the answer as a whole"
    what = "is no JSON" if problem.rule == "json" else f"breaks the rule {problem.rule!r}"
    times = "an answer" if answers == 1 else f"{answers} answers"
    return (
        f"agent {agent_name!r} gave {times} that did not fit its output_schema; in the last one {where} {what}."
        " A simpler schema, clearer instructions or more output_retries may help"
    )
