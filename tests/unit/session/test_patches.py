"""Changes of context variables as data."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rojak.session.patches import apply_patch, diff_context
from rojak.types.activities import PatchOperation

# Few keys, so that two dictionaries often share some.
keys = st.sampled_from(["a", "b", "c", "", "a.b", "ä"])
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=12,
)
contexts = st.dictionaries(keys, values, max_size=4)


@given(before=contexts, after=contexts)
def test_the_difference_applied_to_the_one_gives_the_other(before: dict[str, Any], after: dict[str, Any]):
    original = copy.deepcopy(before)
    assert apply_patch(before, diff_context(before, after)) == after
    assert before == original


@given(before=contexts, after=contexts)
def test_a_patch_survives_being_stored(before: dict[str, Any], after: dict[str, Any]):
    stored = [PatchOperation.model_validate_json(op.model_dump_json()) for op in diff_context(before, after)]
    assert apply_patch(before, stored) == after


@given(context=contexts)
def test_what_did_not_change_makes_no_operations(context: dict[str, Any]):
    assert diff_context(context, copy.deepcopy(context)) == []


@given(before=contexts, one=contexts, other=contexts)
def test_changes_of_different_keys_both_count(before: dict[str, Any], one: dict[str, Any], other: dict[str, Any]):
    one, other = {**before, "one": one}, {**before, "other": other}
    merged = apply_patch(apply_patch(before, diff_context(before, one)), diff_context(before, other))
    assert merged == {**before, "one": one["one"], "other": other["other"]}


@pytest.mark.parametrize(
    ("before", "after", "operations"),
    [
        ({}, {"a": 1}, [PatchOperation(path=["a"], value=1)]),
        ({"a": 1}, {}, [PatchOperation(path=["a"], op="delete")]),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "c": 2}}, [PatchOperation(path=["a", "b"], value=3)]),
        ({"a": {"b": 1}}, {"a": {}}, [PatchOperation(path=["a", "b"], op="delete")]),
        ({"a": {"b": 1}}, {"a": 5}, [PatchOperation(path=["a"], value=5)]),
        ({"a": [1]}, {"a": [1, 2]}, [PatchOperation(path=["a"], value=[1, 2])]),
        ({"a": None}, {}, [PatchOperation(path=["a"], op="delete")]),
        ({"a": 1}, {"a": True}, [PatchOperation(path=["a"], value=True)]),
    ],
)
def test_a_change_becomes_the_smallest_operation(
    before: dict[str, Any], after: dict[str, Any], operations: list[PatchOperation]
):
    assert diff_context(before, after) == operations


def test_the_later_of_two_calls_that_touch_the_same_value_counts():
    before = {"a": {"b": 1}}
    replaced = diff_context(before, {"a": 5})
    deeper = diff_context(before, {"a": {"b": 2}})
    assert apply_patch(apply_patch(before, deeper), replaced) == {"a": 5}
    assert apply_patch(apply_patch(before, replaced), deeper) == {"a": {"b": 2}}


def test_deleting_what_another_call_deleted_is_no_error():
    gone = diff_context({"a": {"b": 1}}, {"a": {}})
    assert apply_patch(apply_patch({"a": {"b": 1}}, gone), gone) == {"a": {}}


def test_a_value_of_another_json_type_within_a_list_is_a_change() -> None:
    """Python takes 1, 1.0 and True for equal."""
    assert [operation.value for operation in diff_context({"a": [1]}, {"a": [True]})] == [[True]]
    assert [operation.value for operation in diff_context({"a": [{"b": 1}]}, {"a": [{"b": 1.0}]})] == [[{"b": 1.0}]]
