"""What the CRDs and the pages are made of is complete, and plain names agree with what others use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from rojak.manifests import API_VERSION, GROUP, KINDS, VERSION, Agent, schedule_id_of, seconds_of, task_queue_of
from rojak.manifests.base import Model
from rojak.manifests.crds import render_crds
from rojak.manifests.descriptions import describe_fields, describe_model


def models(base: type[Model] = Model) -> Iterator[type[Model]]:
    for model in base.__subclasses__():
        if model.__module__.startswith("rojak.manifests"):
            yield model
            yield from models(model)


@pytest.mark.parametrize("model", list(models()), ids=lambda model: model.__name__)
def test_every_field_is_described(model: type[BaseModel]) -> None:
    assert describe_model(model)
    if model.__name__ != "Resource":
        assert set(describe_fields(model)) == set(model.model_fields)


def test_the_group_is_that_of_the_version() -> None:
    assert f"{GROUP}/{VERSION}" == API_VERSION


def test_names_are_made_in_one_place() -> None:
    assert task_queue_of("shop", "triage") == "shop.triage"
    assert schedule_id_of("shop", "daily") == "shop.daily"


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("1h30m", 5400), ("500ms", 0.5), ("1.5h", 5400), ("1h0m0.5s", 3600.5)]
)
def test_durations_are_gos(text: str, seconds: float) -> None:
    assert seconds_of(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "30", "2d", "1 h", "-5s", "s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a duration"):
        seconds_of(text)


def test_a_manifest_keeps_what_was_given_and_no_more() -> None:
    given = {
        "apiVersion": API_VERSION,
        "kind": "Agent",
        "metadata": {"name": "a", "resourceVersion": "7"},
        "spec": {"instructions": "x", "model": {"provider": "openai", "name": "m", "baseURL": "http://a"}},
    }
    assert Agent.parse(given).to_wire() == given


def test_kinds_can_be_told_apart_on_the_command_line() -> None:
    names = [crd["spec"]["names"] for crd in render_crds().values()]
    assert [name["kind"] for name in names] == list(KINDS)
    said = [word for name in names for word in (name["plural"], name["singular"], *name["shortNames"])]
    assert len(set(said)) == len(said)
    assert all(name["categories"] == ["rojak"] for name in names)
