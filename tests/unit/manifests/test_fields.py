"""No field of a manifest is without effect: what it changes is made differently, somewhere.

A new field fails this test until a manifest in fields.yaml gives it, and until something heeds it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from tests.unit.manifests.fields import KINDS, outcome, paths_of, values_in

ROOT = Path(__file__).resolve().parents[3]
SPECS = {kind: cls.model_fields["spec"].annotation for kind, cls in KINDS.items()}
PATHS = [path for kind, spec in SPECS.items() for path in paths_of(spec, kind)]  # type: ignore[arg-type]  # models
CASES: list[list[dict[str, Any]]] = yaml.safe_load(Path(__file__).with_name("fields.yaml").read_text())

#: Heeded by what acts in a cluster or on a laptop: where, and the words that read it.
ELSEWHERE: dict[str, tuple[str, str]] = {
    "Agent.instructionsFrom.file": ("rojak/laptop/planner.py", "source.file"),
    "MCPServer.discovery.enabled": ("operator/rojak_operator/handlers/mcp_servers.py", "discovery.enabled"),
    "MCPServer.discovery.interval": ("operator/rojak_operator/handlers/mcp_servers.py", "discovery.interval"),
    "MCPServer.discovery.timeout": ("operator/rojak_operator/handlers/mcp_servers.py", "discovery.timeout"),
    "Schedule.deletionPolicy": ("operator/rojak_operator/handlers/schedules.py", "spec.deletion_policy"),
}
#: Another value, where one that is valid cannot be made of the one that is given.
OTHERS: dict[str, Any] = {
    "Agent.model.provider": "anthropic",
    "Agent.tools[].function.name": "textwrap:indent",
    "Agent.tools[].retriever.qdrant.embedFunction": "textwrap:dedent",
    "Agent.instructionsFunction": "textwrap:indent",
    "Agent.outputSchema": {"type": "object", "properties": {"other": {"type": "string"}}},
    "Agent.worker.functions.modules": ["bisect"],
    "WorkerPool.functions.modules": ["bisect"],
    # Of two filters the narrower one counts.
    "MCPServer.tools.include": ["get_rain"],
    "MCPServer.remote.url": "https://another.example/mcp",
    "Schedule.cron": "0 10 * * *",
    "Schedule.timeZone": "Europe/Paris",
    "Schedule.startAt": "2026-02-01T00:00:00Z",
    "Schedule.endAt": "2027-02-01T00:00:00Z",
}
WORDS = (
    "Never", "IfNotPresent", "HPA", "KEDA", "Pin", "NextTurn", "SSE", "StreamableHTTP", "Approve", "Always",
    "BufferAll", "Skip", "New", "None", "user", "system",
)  # fmt: skip


def others(path: str, value: Any) -> Iterator[Any]:
    """Values that may do instead."""
    if path in OTHERS:
        yield OTHERS[path]
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield value + 1
        yield value - 1
    elif isinstance(value, str):
        if found := re.fullmatch(r"(\d+)(s|m|h)", value):
            yield f"{int(found[1]) + 1}{found[2]}"
        yield from (word for word in WORDS if word != value)
        yield f"{value}x"
        yield f"x{value}"
        yield re.sub(r"\d+$", "8999", value)
    elif isinstance(value, list):
        yield [*value, f"{value[-1]}x"]
    elif isinstance(value, dict):
        yield {**value, "changed": "1"} if not value.keys() & {"cpu", "memory"} else dict.fromkeys(value, "2")


def changed(
    case: list[dict[str, Any]], number: int, place: tuple[str | int, ...], path: str
) -> Iterator[list[dict[str, Any]]]:
    """The case with another value in one place of one manifest, if it is a manifest then; the likeliest first."""
    given: Any = case[number]["spec"]
    for name in place:
        given = given[name]
    for value in others(path, given):
        new = copy.deepcopy(case)
        target: Any = new[number]["spec"]
        for name in place[:-1]:
            target = target[name]
        target[place[-1]] = value
        try:
            KINDS[new[number]["kind"]].parse(new[number])
        except ValidationError:
            continue
        yield new


@cache
def outcome_of(number: int) -> str:
    return outcome(CASES[number])


def places_of(path: str) -> Iterator[tuple[list[dict[str, Any]], int, tuple[str | int, ...]]]:
    kind = path.partition(".")[0]
    for case in CASES:
        for number, document in enumerate(case):
            if document["kind"] == kind:
                yield from (
                    (case, number, place) for found, place in values_in(document["spec"], {path}, kind) if found == path
                )


def test_the_table_knows_no_field_that_there_is_not() -> None:
    given = {
        found
        for case in CASES
        for document in case
        for found, _ in values_in(document["spec"], set(PATHS), document["kind"])
    }
    assert given <= set(PATHS)
    assert set(ELSEWHERE) | set(OTHERS) <= set(PATHS)
    assert not given & set(ELSEWHERE)


@pytest.mark.parametrize("path", PATHS)
def test_a_field_has_an_effect(path: str) -> None:
    if path in ELSEWHERE:
        file, words = ELSEWHERE[path]
        assert words in (ROOT / file).read_text()
        return
    places = list(places_of(path))
    assert places, f"no manifest in fields.yaml gives {path}"
    tried = 0
    for case, number, place in places:
        before = outcome_of(CASES.index(case))
        for new in changed(case, number, place, path):
            tried += 1
            if outcome(new) != before:
                return
            if tried > 4:
                break
    assert tried, f"test_fields.py knows no other valid value of {path}: give one in OTHERS"
    pytest.fail(f"{path} is without effect: whatever is made of the manifest is the same with another value")


def test_a_new_generation_is_no_effect() -> None:
    """The test itself: what tells of any change does not pass for one that is heeded."""
    case = copy.deepcopy(CASES[0])
    before = outcome(case)
    for document in case:
        document["metadata"]["generation"] = 7
    assert outcome(case) == before
