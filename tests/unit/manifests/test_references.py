"""What manifests say of each other and of the world is checked before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from rojak.manifests import check_references, read, read_text
from rojak.manifests.cron import parse_cron
from rojak.manifests.references import AGENT_BYTES
from rojak.session import limits

AGENT = """\
apiVersion: rojak.dev/v1alpha1
kind: Agent
metadata: {{name: {name}}}
spec:
  instructions: Be brief.
  model: {{provider: openai, name: gpt-5-mini}}
"""
SCHEDULE = """\
---
apiVersion: rojak.dev/v1alpha1
kind: Schedule
metadata: {name: daily}
spec:
  agentRef: {name: a}
  message: Good morning
"""


def check(text: str) -> list[str]:
    bundle = read_text(text, file="f.yaml")
    check_references(bundle)
    return [str(problem) for problem in bundle.problems]


def test_two_agents_may_hand_over_to_each_other() -> None:
    one = AGENT.format(name="a") + "  handoffs: [{agentRef: {name: b}, description: x}]\n---\n"
    other = AGENT.format(name="b") + "  handoffs: [{agentRef: {name: a}, description: x}]\n"
    assert check(one + other) == []


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (
            "  handoffs: [{agentRef: {name: trige}, description: x}]\n",
            "f.yaml:7:26: Agent/a spec.handoffs[0].agentRef.name: there is no Agent 'trige' in namespace 'default'"
            "; did you mean 'triage'?",
        ),
        (
            "  handoffs: [{agentRef: {name: xyz}, description: x}]\n",
            "f.yaml:7:26: Agent/a spec.handoffs[0].agentRef.name: there is no Agent 'xyz' in namespace 'default'"
            "; add it, or name one of a, triage",
        ),
        (
            "  handoffs: [{agentRef: {name: a}, description: x}]\n",
            "f.yaml:7:26: Agent/a spec.handoffs[0].agentRef.name: an agent cannot hand over to itself, nor ask itself",
        ),
        (
            "  tools: [{agent: {agentRef: {name: xyz}, description: x}}]\n",
            "f.yaml:7:31: Agent/a spec.tools[0].agent.agentRef.name: there is no Agent 'xyz'",
        ),
        (
            "  tools: [{mcp: {serverRef: {name: xyz}}}]\n",
            "f.yaml:7:30: Agent/a spec.tools[0].mcp.serverRef.name: there is no MCPServer 'xyz' in namespace 'default'"
            "; add it",
        ),
        (
            "  workerPoolRef: {name: pool}\n",
            "f.yaml:7:19: Agent/a spec.workerPoolRef.name: warning: there is no WorkerPool 'pool'",
        ),
        (
            "  tools: [{function: {name: get}}, {function: {name: 'weather:get'}}]\n",
            "f.yaml:7:36: Agent/a spec.tools[1]: offers a second tool 'get'; the first is in line 7",
        ),
        (
            "  tools: [{function: {name: transfer_to_triage}}]\n"
            "  handoffs: [{agentRef: {name: triage}, description: x}]\n",
            "f.yaml:8:14: Agent/a spec.handoffs[0]: offers a second tool 'transfer_to_triage'; the first is in line 7",
        ),
        (
            "  outputSchema: {type: string}\n",
            "f.yaml:7:3: Agent/a spec.outputSchema: must be the JSON schema of an object",
        ),
        (
            "  worker: {env: [{name: KEY, valueFrom: {secretKeyRef: {name: nope, key: a}}}]}\n",
            "f.yaml:7:57: Agent/a spec.worker.env[0].valueFrom.secretKeyRef.name: warning: no Secret 'nope' is among",
        ),
        (
            "  worker: {env: [{name: KEY, valueFrom: {secretKeyRef: {name: keys, key: opena}}}]}\n",
            "f.yaml:7:69: Agent/a spec.worker.env[0].valueFrom.secretKeyRef.key: Secret 'keys' has no key 'opena'"
            "; did you mean 'openai'? (keys: openai)",
        ),
    ],
)
def test_a_reference_to_what_is_not_there_is_found(extra: str, message: str) -> None:
    secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {openai: sk}\n"
    problems = check(AGENT.format(name="a") + extra + "---\n" + AGENT.format(name="triage") + secret)
    assert len(problems) == 1
    assert problems[0].startswith(message)


def test_references_stay_in_their_namespace() -> None:
    other = AGENT.format(name="b").replace("{name: b}", "{name: b, namespace: other}")
    (problem,) = check(AGENT.format(name="a") + "  handoffs: [{agentRef: {name: b}, description: x}]\n---\n" + other)
    assert "there is one in 'other', but references stay in their namespace" in problem


def test_what_is_there_but_not_valid_is_not_called_missing() -> None:
    broken = AGENT.format(name="b") + "  nope: 1\n"
    (problem,) = check(AGENT.format(name="a") + "  handoffs: [{agentRef: {name: b}, description: x}]\n---\n" + broken)
    assert "Agent/b spec.nope: unknown field" in problem


def test_what_may_be_missing_is_not_asked_for() -> None:
    ref = "{secretKeyRef: {name: nope, key: a, optional: true}}"
    assert check(AGENT.format(name="a") + f"  worker: {{env: [{{name: KEY, valueFrom: {ref}}}]}}\n") == []


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ("cron: 0 0 31 2 *", "spec.cron: never fires: no day matches all of its fields; correct it"),
        ("cron: 0 0 1 1 * 2020", "spec.cron: never fires"),
        ("cron: 0 0 29 2 1\n  endAt: 2030-01-01T00:00:00Z", "spec.cron: never fires: no day matches"),
        ("cron: 0 0 * *", "spec.cron: has 4 fields; write five: minute, hour, day of month, month, day of week"),
        ("cron: 61 0 * * *", "spec.cron: minute '61': 61 is not between 0 and 59"),
        ("cron: 0 0 * * MOM", "spec.cron: dayOfWeek 'MOM': 'MOM' is not a number from 0 to 7, or one of Sun, Mon"),
        ("cron: 0 17-9 * * *", "spec.cron: hour '17-9': 17-9 ends before it begins; write two ranges"),
        ("cron: '*/0 * * * *'", "spec.cron: minute '*/0': the step '0' is not a number above 0"),
        ("cron: '@dayly'", "spec.cron: is no shorthand; there are @yearly"),
        ("cron: '@every 5m'", "spec.cron: is an interval; write it as interval: {every: 5m} instead"),
        ("cron: TZ=Europe/Berlin 0 9 * * *", "spec.cron: names a time zone; write it as timeZone: Europe/Berlin"),
        ("calendars: [{dayOfMonth: 31, month: 4}]", "spec.calendars[0]: never fires"),
        ("calendars: [{hour: 25}]", "spec.calendars[0]: hour '25': 25 is not between 0 and 23"),
        ("cron: '@daily'\n  skip: [{month: Foo}]", "spec.skip[0]: month 'Foo'"),
        (
            "cron: '@daily'\n  timeZone: Europe/Berln",
            "no time zone 'Europe/Berln'; did you mean 'Europe/Berlin'?",
        ),
        ("cron: '@daily'\n  endAt: 2020-01-01T00:00:00Z", "spec.endAt: is in the past, so that it never runs"),
        ("interval: {every: 1h}\n  agentRef: {name: b}", "is there twice"),
    ],
)
def test_a_schedule_that_cannot_work_is_found(when: str, message: str) -> None:
    (problem, *_) = check(AGENT.format(name="a") + SCHEDULE + f"  {when}\n")
    assert message in problem


@pytest.mark.parametrize(
    "cron", ["*/5 9-17 * * MON-FRI", "0 0 29 2 *", "0 0 13 * 5", "@hourly", "0 0 9 1,15 * * 2090", "0 0 * * 7"]
)
def test_a_schedule_that_works_is_not_complained_about(cron: str) -> None:
    assert parse_cron(cron).days
    assert check(AGENT.format(name="a") + SCHEDULE + f"  cron: '{cron}'\n") == []


def test_a_schedule_for_nobody_is_an_error() -> None:
    assert check(SCHEDULE + "  interval: {every: 1h}\n")[0].startswith(
        "f.yaml:6:14: Schedule/daily spec.agentRef.name: there is no Agent 'a' in namespace 'default'; add it"
    )


def test_an_agent_that_does_not_fit_into_a_session_is_an_error() -> None:
    assert AGENT_BYTES < limits.AGENT_BYTES
    long = AGENT.format(name="a").replace("Be brief.", "€" * 30_000)
    assert "spec.instructions: the agent is too large: 87 KiB of at most 60; shorten the instructions" in check(long)[0]
    huge = AGENT.format(name="a").replace("Be brief.", "x" * 1_000_000)
    assert check(huge) == ["f.yaml:5:3: Agent/a spec.instructions: is too long: 1000000 characters of at most 60000"]


def test_instructions_in_a_file_are_for_laptops(tmp_path: Path) -> None:
    manifest = AGENT.format(name="a").replace("instructions: Be brief.", "instructionsFrom: {file: prompt.md}")
    (tmp_path / "a.yaml").write_text(manifest)
    bundle = read([tmp_path])
    check_references(bundle)
    assert "prompt.md cannot be read: No such file or directory" in str(bundle.errors[0])
    (tmp_path / "prompt.md").write_text("Be brief.")
    bundle = read([tmp_path])
    check_references(bundle)
    assert bundle.errors == []
    assert "works on a laptop only" in str(bundle.problems[0])


@pytest.mark.parametrize(
    ("function", "source", "message"),
    [
        (
            "tools:get_wether",
            "def get_weather(): ...",
            "there is no 'get_wether' in {file}; did you mean 'get_weather'?",
        ),
        ("tools:get_weather", "x = (", "{file}, line 1 is not Python: '(' was never closed"),
        ("tools:get_weather", "async def get_weather(): ...", None),
        ("tools:get_weather", "from elsewhere import *", None),
        ("tools:get_weather", "from elsewhere import other as get_weather", None),
        ("tools:get_weather", "if True:\n    get_weather = len", None),
        ("other:get_weather", "", None),
        ("get_weather", "", None),
    ],
)
def test_functions_are_looked_for_in_the_files_beside_the_manifest(
    tmp_path: Path, function: str, source: str, message: str | None
) -> None:
    (tmp_path / "tools.py").write_text(source)
    (tmp_path / "a.yaml").write_text(AGENT.format(name="a") + f"  tools: [{{function: {{name: '{function}'}}}}]\n")
    bundle = read([tmp_path])
    check_references(bundle)
    expected = [] if message is None else [message.format(file=tmp_path / "tools.py").removeprefix("there is ")]
    assert [problem.message.removeprefix("there is ") for problem in bundle.problems] == expected


def test_functions_are_looked_for_in_the_configmap_that_brings_them() -> None:
    functions = "  tools: [{function: {name: 'quick:go'}}]\n  worker: {functions: {configMapRef: {name: tools}}}\n---\n"
    config_map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: tools}\ndata: {quick.py: 'def come(): ...'}\n"
    (problem,) = check(AGENT.format(name="a") + functions + config_map)
    assert "there is no 'go' in quick.py in ConfigMap 'tools'" in problem
