"""Manifests are read from files and folders, and each mistake is one message with its place and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from rojak.manifests import Key, ManifestError, load, read, read_text, task_queue_of

AGENT = """\
apiVersion: rojak.dev/v1alpha1
kind: Agent
metadata:
  name: {name}
spec:
  instructions: Be brief.
  model: {{provider: openai, name: gpt-5-mini}}
"""


def messages(text: str) -> list[str]:
    return [str(problem) for problem in read_text(text, file="agents.yaml").problems]


def test_documents_of_files_and_of_nested_folders_are_read(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(AGENT.format(name="one") + "---\n" + AGENT.format(name="two"))
    (tmp_path / "deeper" / "still").mkdir(parents=True)
    (tmp_path / "deeper" / "still" / "three.yml").write_text(AGENT.format(name="three"))
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "four.yaml").write_text("- not for us")
    (tmp_path / "notes.txt").write_text("neither")
    bundle = load([tmp_path], namespace="shop")
    assert set(bundle.agents) == {Key("shop", "one"), Key("shop", "two"), Key("shop", "three")}
    assert task_queue_of("shop", bundle.agents[Key("shop", "one")].name) == "shop.one"


def test_configmaps_and_secrets_are_read_and_other_kinds_left_alone() -> None:
    bundle = read_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: texts}\ndata: {prompt: Be brief.}\n---\n"
        "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\ndata: {a: c2VjcmV0}\nstringData: {b: plain}\n---\n"
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: other}\nspec: {what: ever}\n"
    )
    assert bundle.problems == []
    assert bundle.config_maps[Key("default", "texts")] == {"prompt": "Be brief."}
    assert bundle.secrets[Key("default", "keys")] == {"a": "secret", "b": "plain"}


def test_secrets_are_not_shown() -> None:
    bundle = read_text("apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {a: geheim}\n")
    assert "geheim" not in repr(bundle)


def test_a_list_as_kubectl_prints_it_is_read() -> None:
    indented = AGENT.format(name="Wrong").replace("\n", "\n  ")
    (problem,) = read_text(f"apiVersion: v1\nkind: List\nitems:\n- {indented}\n", file="list.yaml").problems
    assert str(problem).startswith("list.yaml:7:5: Agent/Wrong metadata.name: must be at most 63 lower-case letters")


def test_all_mistakes_are_reported_at_once_in_their_order() -> None:
    text = AGENT.format(name="a") + "  limits: {maxTurns: 0}\n  wrker: {}\n  worker: {replicas: 1, autoscaling: {}}\n"
    assert [message.split(": ")[0] for message in messages(text)] == [
        "agents.yaml:8:12",
        "agents.yaml:9:3",
        "agents.yaml:10:3",
        "agents.yaml:10:25",
    ]


def test_load_raises_with_all_problems(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(AGENT.format(name="A") + "---\n" + AGENT.format(name="B"))
    with pytest.raises(ManifestError) as raised:
        load([tmp_path])
    assert len(raised.value.problems) == 2


def test_objects_of_one_name_are_an_error_that_names_the_first() -> None:
    (message,) = messages("# one\n" + AGENT.format(name="a") + "---\n" + AGENT.format(name="a"))
    assert message == (
        "agents.yaml:13:3: Agent/a metadata.name: is there twice, first in agents.yaml:5; rename or remove one of them"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "x.yaml:1:5: this is not YAML: while parsing a flow node, expected the node content"),
        ("a:\n\t- b", "x.yaml:2:1: this is not YAML: there is a tab; indent with spaces"),
        ("a: b: c", "x.yaml:1:5: this is not YAML: there is a second ': ' in the line"),
        ("a: &x [*x]", "x.yaml:1:4: this is not YAML: an alias (*name) leads to itself"),
        ("- a", "x.yaml:1:1: this is not a manifest: it has to be a mapping"),
        ("just text", "x.yaml:1:1: this is not a manifest: it has to be a mapping"),
        ("kind: Agent", "x.yaml:1:1: this is not a manifest: apiVersion is missing"),
        ("apiVersion: rojak.dev/v1\nkind: Agent", "x.yaml:1:1: Agent apiVersion: must be rojak.dev/v1alpha1"),
        ("apiVersion: rojak.dev/v1alpha1\nkind: Agnet", "x.yaml:2:1: kind: there is no kind 'Agnet'"),
        ("apiVersion: rojack.dev/v1alpha1\nkind: Agent", "x.yaml:1:1: Agent apiVersion: must be rojak.dev/v1alpha1"),
        ("a: 1\na: 2", "x.yaml:2:1: a: is there twice, first in line 1; remove one of them"),
        ("1: a", 'x.yaml:1:1: the name of a field must be text; put it in quotes: "1"'),
        ("a: !secret b", "x.yaml:1:4: a: the tag !secret is not supported; remove it"),
        (
            "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {k: '%'}",
            "x.yaml:4:8: Secret/a data.k: must be text",
        ),
    ],
)
def test_what_is_no_manifest_is_one_message(text: str, message: str) -> None:
    problems = [str(problem) for problem in read_text(text, file="x.yaml").problems]
    assert any(problem.startswith(message) for problem in problems), problems


def test_a_file_that_cannot_be_read_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("a: \xe4".encode("latin-1"))
    (problem,) = read([tmp_path]).problems
    assert problem.message == "cannot be read: it is not text in UTF-8"
    (problem,) = read([tmp_path / "nothing"]).problems
    assert problem.message == "there is no such file or folder"


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    (problem,) = read([tmp_path]).problems
    assert "no manifest of rojak.dev/v1alpha1 is there" in problem.message


def test_aliases_that_multiply_are_refused() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdef", "bcdefg", strict=True)
    )
    (problem,) = read_text(bomb).problems
    assert "far too often" in problem.message


def test_what_yaml_would_take_for_a_time_is_text() -> None:
    text = AGENT.format(name="a") + "  contextVariables: {opens: 9:30, day: 2026-01-01}\n"
    bundle = read_text(text)
    assert bundle.problems == []
    assert bundle.agents[Key("default", "a")].spec.context_variables == {"opens": "9:30", "day": "2026-01-01"}


def test_anchors_and_merged_mappings_work() -> None:
    text = (
        AGENT.format(name="a").replace("{provider:", "&m {provider:")
        + "  contextVariables:\n    <<: *m\n    name: own\n"
    )
    bundle = read_text(text)
    assert bundle.problems == []
    assert bundle.agents[Key("default", "a")].spec.context_variables == {"provider": "openai", "name": "own"}


@pytest.mark.parametrize(
    "spec",
    [
        "model: {provider: openai, name: m, apiKey: GEHEIM}",
        "model: {provider: openai, name: m, apiKey: {value: GEHEIM}}",
        "model: {provider: openai, name: m, headers: {Authorization: GEHEIM}}",
        "model: {provider: openai, name: m, headers: [{name: Authorization, value: 4711}]}",
        "worker: {env: [{name: KEY, value: 4711}]}",
        "worker: {env: [{name: KEY, valueFrom: GEHEIM}]}",
        "worker: {env: GEHEIM}",
        "worker: GEHEIM",
        "tools: [{retriever: {qdrant: {collection: c, url: 'http://a', apiKey: GEHEIM}}}]",
    ],
)
def test_a_secret_that_was_written_in_plain_text_is_not_repeated(spec: str) -> None:
    said = messages(AGENT.format(name="a") + f"  {spec}\n")
    assert said
    assert not any("GEHEIM" in message or "4711" in message for message in said)


def test_what_is_nested_too_deeply_is_one_message() -> None:
    (problem,) = read_text("a: " + "[" * 5_000 + "]" * 5_000).problems
    assert "too deeply" in problem.message
